"""Error panels: all that is to be seen of one photo's errors, on one picture.

The whole photo says where they are, and its worst places, enlarged, what they are.
"""

from collections.abc import Sequence

import numpy as np

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.data.boxes import Box
from car_segmentation.report.colours import (
    BACKGROUND,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
)
from car_segmentation.report.contact_sheets import fitted
from car_segmentation.report.enlarged_places import (
    LABEL_PADDING,
    LABEL_SIZE,
    PLACE,
    PLACE_CELL,
    enlarged,
    labelled,
    photo_place,
    place_size,
    with_boxes,
    worst_places,
)
from car_segmentation.report.error_maps import error_map, mask_picture
from car_segmentation.report.text_drawing import CAPTION_HEIGHT, caption_strip, colour_key, write

GAP = 16
"""Pixels between the parts of a panel, and around them."""
PANEL_PLACES = 3
"""Enlarged places side by side; the width of a panel follows."""
PANEL_WIDTH = PANEL_PLACES * (PLACE_CELL[1] + GAP) + GAP
"""In pixels."""
PLACE_GAP = 6
"""Pixels between the pictures of one place."""
TITLE_SIZE = 20
"""Height of letters, in pixels."""


def error_panel(
    photo: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    caption: str,
    places: int = PANEL_PLACES,
) -> np.ndarray:
    """Photo, truth, prediction and errors of one photo, and its worst places enlarged.

    Args:
        photo: uint8 RGB (height, width, 3).
        truth: bool (height, width).
        predicted: bool (height, width).
        caption: A text; as many lines as it takes.
        places: How many places are enlarged at most; `PANEL_PLACES` fill the width.

    Returns:
        uint8 RGB (…, `PANEL_WIDTH`, 3).
    """
    errors = error_map(photo, predicted, truth)
    boxes = worst_places(predicted, truth, places, place_size(photo.shape[1]))
    main_width, side_width = _widths_of_equal_height(photo.shape[0] / photo.shape[1])
    main = labelled(with_boxes(_scaled(errors, main_width), photo.shape[1], boxes), "errors")
    beside = {"photo": photo, "truth": mask_picture(truth), "prediction": mask_picture(predicted)}
    side = [labelled(_scaled(picture, side_width), label) for label, picture in beside.items()]
    columns = [
        _column(
            [
                _place_title(number, box, predicted, truth),
                photo_place(photo, box, "photo"),
                labelled(enlarged(box.of(errors)), "errors"),
            ],
            PLACE_GAP,
        )
        for number, box in enumerate(boxes, start=1)
    ]
    rows = map(_row, in_chunks(columns, PANEL_PLACES))
    whole = _row([main, _column(side)])
    return _framed([_title(caption), whole, *rows, _key(predicted, truth)])


def change_panel(
    photo: np.ndarray,
    truth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    caption: str,
    places: int = 2,
) -> np.ndarray:
    """Errors of two predictions of one photo, side by side, and where they differ most, enlarged.

    Args:
        photo: uint8 RGB (height, width, 3).
        truth: bool (height, width).
        before: The first prediction, bool (height, width).
        after: The second prediction, bool (height, width).
        caption: A text; as many lines as it takes.
        places: How many places are enlarged at most, each in a row: photo, before, after.

    Returns:
        uint8 RGB (…, `PANEL_WIDTH`, 3).
    """
    maps = [("before", error_map(photo, before, truth)), ("after", error_map(photo, after, truth))]
    boxes = worst_places(before, after, places, place_size(photo.shape[1]))
    width = (PANEL_WIDTH - 3 * GAP) // 2
    halves = [
        labelled(with_boxes(_scaled(errors, width), photo.shape[1], boxes), label)
        for label, errors in maps
    ]
    parts = [_title(caption), _row(halves)]
    for number, box in enumerate(boxes, start=1):
        crops = [photo_place(photo, box, f"{number}: photo")]
        crops += [
            labelled(enlarged(box.of(errors)), f"{number}: {label}") for label, errors in maps
        ]
        parts.append(_row(crops))
    parts.append(_key())
    return _framed(parts)


def _widths_of_equal_height(aspect: float) -> tuple[int, int]:
    """Widths of one large picture and of three small ones, stacked, that end level with it.

    Args:
        aspect: Height of the photo over its width.
    """
    # large·aspect = 3·small·aspect + 2·GAP, and both with the gaps fill the panel.
    small = round((PANEL_WIDTH - 3 * GAP - 2 * GAP / aspect) / 4)
    small = max(small, PANEL_WIDTH // 8)
    return PANEL_WIDTH - 3 * GAP - small, small


def _scaled(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture of a given width, or less where it would be taller than a panel is wide."""
    aspect = picture.shape[0] / picture.shape[1]
    width = max(min(width, round(PANEL_WIDTH / aspect)), 1)
    return fitted(picture, width, max(round(width * aspect), 1))


def _place_title(number: int, box: Box, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    wrong = int(np.count_nonzero(box.of(predicted) != box.of(truth)))
    strip = np.full((CAPTION_HEIGHT, PLACE_CELL[1], 3), BACKGROUND, np.uint8)
    side = LABEL_SIZE + LABEL_PADDING
    top = (CAPTION_HEIGHT - side) // 2
    strip[top : top + side, :side] = PLACE
    middle = CAPTION_HEIGHT // 2
    write(strip, str(number), (middle, side // 2), LABEL_SIZE, bold=True, anchor="mm")
    text = f"{wrong:,} of {box.height * box.width:,} pixels wrong"
    write(strip, text, (middle, side + LABEL_PADDING), LABEL_SIZE)
    return strip


def _title(text: str) -> np.ndarray:
    return caption_strip(text, PANEL_WIDTH - 2 * GAP, TITLE_SIZE, bold=True)


def _key(predicted: np.ndarray | None = None, truth: np.ndarray | None = None) -> np.ndarray:
    """Colour key and, for one prediction, the number of pixels of each colour."""
    entries = [
        (FALSE_POSITIVE, "false positive: predicted as foreground, and is not"),
        (FALSE_NEGATIVE, "false negative: foreground that was not found"),
        (TRUE_POSITIVE, "true positive: rightly foreground"),
    ]
    if predicted is not None and truth is not None:
        counts = (predicted & ~truth, ~predicted & truth, predicted & truth)
        entries = [
            (colour, f"{meaning}, {np.count_nonzero(pixels):,} px")
            for (colour, meaning), pixels in zip(entries, counts, strict=True)
        ]
    return colour_key(entries, PANEL_WIDTH - 2 * GAP)


def _row(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, their upper edges level."""
    return _column([picture.swapaxes(0, 1) for picture in pictures]).swapaxes(0, 1)


def _column(pictures: Sequence[np.ndarray], gap: int = GAP) -> np.ndarray:
    """Pictures one below another, their left edges level, with gaps between."""
    width = max(picture.shape[1] for picture in pictures)
    height = sum(picture.shape[0] for picture in pictures) + gap * (len(pictures) - 1)
    column = np.full((height, width, 3), BACKGROUND, np.uint8)
    top = 0
    for picture in pictures:
        column[top : top + picture.shape[0], : picture.shape[1]] = picture
        top += picture.shape[0] + gap
    return column


def _framed(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts one below another, on a panel with a margin."""
    content = _column(parts)
    height = content.shape[0] + 2 * GAP
    framed = np.full((height, PANEL_WIDTH, 3), BACKGROUND, np.uint8)
    framed[GAP:-GAP, GAP : GAP + content.shape[1]] = content
    return framed
