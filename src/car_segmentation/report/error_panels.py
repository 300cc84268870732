"""Plates: all that is to be seen of one photo's errors, on one picture.

The whole photo says where they are, and its worst places, enlarged, what they are.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from car_segmentation.data.boxes import Box
from car_segmentation.report.error_maps import (
    BACKGROUND,
    CAPTION_HEIGHT,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    colour_key,
    error_map,
    fitted,
    mask_picture,
)
from car_segmentation.report.text_drawing import Colour, shortened, text_width, write

GAP = 16
"""Pixels between the parts of a plate, and around them."""
PLACE_CELL = (360, 480)
"""Height and width, in pixels, of the room that an enlarged place has on a plate."""
PLATE_PLACES = 3
"""Enlarged places side by side; the width of a plate follows."""
PLATE_WIDTH = PLATE_PLACES * (PLACE_CELL[1] + GAP) + GAP
"""In pixels."""

PLACE_SHARE = 8
"""A place is about 1/8 as wide as the photo: 240 pixels of Carvana's 1918, enlarged twice."""
MAX_ZOOM = 16

DARK_LEVEL = 110
"""A place whose brightest pixels (but for 1 %) are darker than this is shown brighter, up to here
at first and then by no more than `MAX_GAIN`: shadows under a car tell nothing otherwise."""
MAX_GAIN = 6
PLACE_GAP = 6
"""Pixels between the pictures of one place."""

TITLE_SIZE = 20
LABEL_SIZE = 15
"""Heights of letters, in pixels."""
LABEL_PADDING = 6
LABEL_COLOUR: Colour = (255, 255, 255)
LABEL_SHADE = 0.35
"""How much of a picture's brightness is left under a label on it."""
BOX_COLOUR: Colour = (255, 215, 0)
"""Yellow, which error maps have not."""
MODEL_COLOUR: Colour = (200, 60, 255)
"""Violet: the outline of the model's mask beside that of a mask in doubt."""
OUTLINE = 2
"""Pixels: width of the outlines of doubted masks."""
SUSPECT_ROOM = 1.3
"""A place in doubt is shown with so much room: times its size."""


def worst_places(
    predicted: np.ndarray, truth: np.ndarray, count: int, size: tuple[int, int]
) -> list[Box]:
    """Boxes where two masks differ most: the densest first, none over another.

    The density at a point is the number of wrong pixels in the box round it, those near its middle
    counting more (a box filter applied twice, at half the box's size), so that what is wrong is in
    the middle of its box. Boxes are taken greedily and lie within the frame.

    Args:
        predicted: bool (height, width).
        truth: bool (height, width).
        count: How many boxes at most.
        size: Height and width of a box, in pixels; cut to the mask's.

    Returns:
        As many boxes as there are with anything wrong in them.
    """
    height, width = (min(side, frame) for side, frame in zip(size, truth.shape, strict=True))
    density = (predicted != truth).astype(np.float32)
    kernel = (max(width // 2, 1), max(height // 2, 1))
    for _ in range(2):
        density = cv2.boxFilter(
            density, cv2.CV_32F, kernel, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    # By top left corner, for all boxes that lie within the frame.
    rows, columns = truth.shape[0] - height + 1, truth.shape[1] - width + 1
    density = density[height // 2 :, width // 2 :][:rows, :columns].copy()
    places: list[Box] = []
    while len(places) < count:
        top, left = map(int, np.unravel_index(density.argmax(), density.shape))
        if density[top, left] < 1:
            break
        places.append(Box(top, left, top + height, left + width))
        density[
            max(top - height + 1, 0) : top + height, max(left - width + 1, 0) : left + width
        ] = 0
    return places


def place_size(photo_width: int) -> tuple[int, int]:
    """Height and width of the places of a photo, in its pixels.

    About 1/`PLACE_SHARE` of its width, and such that a whole number of times fills a cell.
    """
    zoom = min(max(round(PLACE_CELL[1] * PLACE_SHARE / photo_width), 1), MAX_ZOOM)
    return PLACE_CELL[0] // zoom, PLACE_CELL[1] // zoom


def plate(
    photo: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    caption: str,
    places: int = PLATE_PLACES,
) -> np.ndarray:
    """Photo, truth, prediction and errors of one photo, and its worst places enlarged.

    Args:
        photo: uint8 RGB (height, width, 3).
        truth: bool (height, width).
        predicted: bool (height, width).
        caption: One line of text.
        places: How many places are enlarged at most; `PLATE_PLACES` fill the width.

    Returns:
        uint8 RGB (…, `PLATE_WIDTH`, 3).
    """
    errors = error_map(photo, predicted, truth)
    boxes = worst_places(predicted, truth, places, place_size(photo.shape[1]))
    side_pictures = [
        ("photo", photo),
        ("truth", mask_picture(truth)),
        ("prediction", mask_picture(predicted)),
    ]
    main_width, side_width = _widths_of_equal_height(photo.shape[0] / photo.shape[1])
    main = _labelled(_with_boxes(_scaled(errors, main_width), photo.shape[1], boxes), "errors")
    side = [_labelled(_scaled(picture, side_width), label) for label, picture in side_pictures]
    columns = [
        _column(
            [
                _place_title(number, box, predicted, truth),
                _photo_place(photo, box, "photo"),
                _labelled(_enlarged(box.of(errors)), "errors"),
            ],
            PLACE_GAP,
        )
        for number, box in enumerate(boxes, start=1)
    ]
    parts = [
        _title(caption),
        _row([main, _column(side)]),
        *(
            [
                _row(columns[start : start + PLATE_PLACES])
                for start in range(0, len(columns), PLATE_PLACES)
            ]
        ),
        _key(predicted, truth),
    ]
    return _framed(parts)


def change_plate(
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
        caption: One line of text.
        places: How many places are enlarged at most, each in a row: photo, before, after.

    Returns:
        uint8 RGB (…, `PLATE_WIDTH`, 3).
    """
    maps = [("before", error_map(photo, before, truth)), ("after", error_map(photo, after, truth))]
    boxes = worst_places(before, after, places, place_size(photo.shape[1]))
    width = (PLATE_WIDTH - 3 * GAP) // 2
    halves = [
        _labelled(_with_boxes(_scaled(errors, width), photo.shape[1], boxes), label)
        for label, errors in maps
    ]
    parts = [_title(caption), _row(halves)]
    for number, box in enumerate(boxes, start=1):
        crops = [_photo_place(photo, box, f"{number}: photo")]
        crops += [
            _labelled(_enlarged(box.of(errors)), f"{number}: {label}") for label, errors in maps
        ]
        parts.append(_row(crops))
    parts.append(_key())
    return _framed(parts)


def suspect_place(
    photo: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    box: Box,
    width: int,
) -> np.ndarray:
    """The doubted place of a mask, with the outlines of the mask and of the model's mask.

    Args:
        photo: uint8 RGB (height, width, 3).
        truth: bool (height, width): the mask that is doubted; yellow.
        predicted: bool (height, width): the model's; its outline is violet.
        box: The place; shown with room around it, in the shape of `PLACE_CELL`, and no smaller
            than `place_size`.
        width: Of the picture, in pixels.

    Returns:
        uint8 RGB, in the shape of `PLACE_CELL`.
    """
    shown = _box_around(box, photo.shape)
    crop = np.ascontiguousarray(shown.of(photo))
    height = round(width * PLACE_CELL[0] / PLACE_CELL[1])
    size = (width, height)
    picture = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    for mask, colour in ((predicted, MODEL_COLOUR), (truth, BOX_COLOUR)):
        enlarged = cv2.resize(
            shown.of(mask).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
        )
        outlines, _ = cv2.findContours(enlarged, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, OUTLINE, cv2.LINE_AA)
    return _labelled(picture, f"{shown.width} px wide")


def suspect_key(width: int) -> np.ndarray:
    """A strip that says what the outlines of `suspect_place` mean; uint8 RGB (…, width, 3)."""
    return colour_key(((BOX_COLOUR, "the mask"), (MODEL_COLOUR, "the model's mask")), width)


def _box_around(box: Box, shape: tuple[int, ...]) -> Box:
    """A box with room around it, in the shape of a cell, moved and cut to stay in the photo."""
    least = place_size(shape[1])
    aspect = PLACE_CELL[1] / PLACE_CELL[0]
    height = max(SUSPECT_ROOM * box.height, SUSPECT_ROOM * box.width / aspect, least[0])
    height = min(height, shape[0], shape[1] / aspect)
    width = round(height * aspect)
    height = round(height)
    top = min(max(round((box.top + box.bottom - height) / 2), 0), shape[0] - height)
    left = min(max(round((box.left + box.right - width) / 2), 0), shape[1] - width)
    return Box(top, left, top + height, left + width)


def _widths_of_equal_height(aspect: float) -> tuple[int, int]:
    """Widths of one large picture and of three small ones, stacked, that end level with it.

    Args:
        aspect: Height of the photo over its width.
    """
    # large·aspect = 3·small·aspect + 2·GAP, and both with the gaps fill the plate.
    small = round((PLATE_WIDTH - 3 * GAP - 2 * GAP / aspect) / 4)
    small = max(small, PLATE_WIDTH // 8)
    return PLATE_WIDTH - 3 * GAP - small, small


def _scaled(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture so many pixels wide, or less where it would be taller than a plate is wide."""
    aspect = picture.shape[0] / picture.shape[1]
    width = max(min(width, round(PLATE_WIDTH / aspect)), 1)
    return fitted(picture, width, max(round(width * aspect), 1))


def _enlarged(crop: np.ndarray) -> np.ndarray:
    """A place with its pixels as squares, as large as its cell allows."""
    zoom = min(cell // side for cell, side in zip(PLACE_CELL, crop.shape[:2], strict=True))
    return crop.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _photo_place(photo: np.ndarray, box: Box, label: str) -> np.ndarray:
    """What the photo shows in a place, enlarged, with a scale, and brighter where it is dark."""
    crop = box.of(photo)
    brightest = float(np.percentile(crop, 99))
    if brightest < DARK_LEVEL:
        gain = min(round(2 * DARK_LEVEL / max(brightest, 1)), MAX_GAIN)
        crop = np.minimum(crop * np.float32(gain), 255).astype(np.uint8)
        label += f", {gain}× brighter"
    return _labelled(_with_scale_bar(_enlarged(crop), box), label)


def _with_boxes(picture: np.ndarray, photo_width: int, boxes: Sequence[Box]) -> np.ndarray:
    """Numbered boxes drawn on the picture of a whole photo, in place."""
    scale = picture.shape[1] / photo_width
    for number, box in enumerate(boxes, start=1):
        top, left = round(box.top * scale), round(box.left * scale)
        bottom, right = round(box.bottom * scale), round(box.right * scale)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), BOX_COLOUR, 2)
        side = LABEL_SIZE + LABEL_PADDING
        top = top - side if top >= side else bottom
        cv2.rectangle(picture, (left - 1, top), (left + side, top + side), BOX_COLOUR, cv2.FILLED)
        write(
            picture,
            str(number),
            (top + side // 2, left + side // 2),
            LABEL_SIZE,
            bold=True,
            anchor="mm",
        )
    return picture


def _labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """A label in the upper left corner of a picture, drawn in place."""
    height, width = (
        LABEL_SIZE + 2 * LABEL_PADDING,
        text_width(label, LABEL_SIZE) + 2 * LABEL_PADDING,
    )
    corner = picture[:height, :width]
    corner[:] = corner * np.float32(LABEL_SHADE)
    write(picture, label, (height // 2, LABEL_PADDING), LABEL_SIZE, LABEL_COLOUR)
    return picture


def _with_scale_bar(picture: np.ndarray, box: Box) -> np.ndarray:
    """A bar of a round number of the photo's pixels in the lower left corner, drawn in place."""
    zoom = picture.shape[1] // box.width
    length = _round_length(box.width / 4)
    text = f"{length} px"
    height = LABEL_SIZE + 2 * LABEL_PADDING
    width = length * zoom + text_width(text, LABEL_SIZE) + 3 * LABEL_PADDING
    corner = picture[-height:, :width]
    corner[:] = corner * np.float32(LABEL_SHADE)
    middle = picture.shape[0] - height // 2
    picture[middle - 2 : middle + 2, LABEL_PADDING : LABEL_PADDING + length * zoom] = LABEL_COLOUR
    write(picture, text, (middle, length * zoom + 2 * LABEL_PADDING), LABEL_SIZE, LABEL_COLOUR)
    return picture


def _round_length(most: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, … that is no more than ``most``; at least 1."""
    power = 10 ** max(int(np.floor(np.log10(max(most, 1)))), 0)
    return max(step * power for step in (1, 2, 5) if step * power <= max(most, 1))


def _place_title(number: int, box: Box, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    wrong = int(np.count_nonzero(box.of(predicted) != box.of(truth)))
    strip = np.full((CAPTION_HEIGHT, PLACE_CELL[1], 3), BACKGROUND, np.uint8)
    side = LABEL_SIZE + LABEL_PADDING
    top = (CAPTION_HEIGHT - side) // 2
    strip[top : top + side, :side] = BOX_COLOUR
    middle = CAPTION_HEIGHT // 2
    write(strip, str(number), (middle, side // 2), LABEL_SIZE, bold=True, anchor="mm")
    text = f"{wrong:,} of {box.height * box.width:,} pixels wrong"
    write(strip, text, (middle, side + LABEL_PADDING), LABEL_SIZE)
    return strip


def _title(text: str) -> np.ndarray:
    strip = np.full((TITLE_SIZE + GAP // 2, PLATE_WIDTH - 2 * GAP, 3), BACKGROUND, np.uint8)
    text = shortened(text, strip.shape[1], TITLE_SIZE, bold=True)
    write(strip, text, (strip.shape[0] // 2, 0), TITLE_SIZE, bold=True)
    return strip


def _key(predicted: np.ndarray | None = None, truth: np.ndarray | None = None) -> np.ndarray:
    """What the colours mean and, of one prediction, how many pixels there are of each."""
    entries = [
        (FALSE_POSITIVE, "false positive: taken for foreground, and is not"),
        (FALSE_NEGATIVE, "false negative: foreground, and missed"),
        (TRUE_POSITIVE, "true positive: rightly foreground"),
    ]
    if predicted is not None and truth is not None:
        counts = (predicted & ~truth, ~predicted & truth, predicted & truth)
        entries = [
            (colour, f"{meaning}, {np.count_nonzero(pixels):,} px")
            for (colour, meaning), pixels in zip(entries, counts, strict=True)
        ]
    return colour_key(entries, PLATE_WIDTH - 2 * GAP)


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
    """Parts one below another, on a plate with a margin."""
    content = _column(parts)
    height = content.shape[0] + 2 * GAP
    framed = np.full((height, PLATE_WIDTH, 3), BACKGROUND, np.uint8)
    framed[GAP:-GAP, GAP : GAP + content.shape[1]] = content
    return framed
