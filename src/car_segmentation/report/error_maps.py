"""Pictures of what is right and wrong, in the colours of the post."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import pandas as pd

from car_segmentation.report.text_drawing import Colour, shortened, text_width, write

FALSE_POSITIVE: Colour = (214, 39, 40)
"""Red: taken for car, and is not."""
TRUE_POSITIVE: Colour = (44, 160, 44)
"""Green: rightly car."""
FALSE_NEGATIVE: Colour = (31, 90, 220)
"""Blue: car, and missed."""

DIMMED = 0.35
"""How much of the photo's brightness is left under an error map."""
TINT = 0.35
"""How strongly right pixels are tinted green; wrong ones are painted over in full."""

THUMBNAIL_GAIN = 3.0
"""How much more strongly than by its area a wrong spot shows on a thumbnail."""

CAPTION_HEIGHT = 28
"""Height of a line of text with the room around it, in pixels."""
KEY_SIDE = 12
KEY_MARGIN = 8
"""Pixels: a square of the colour key, and the room beside it."""
BACKGROUND: Colour = (255, 255, 255)


def error_map(photo: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Paint false positives red, true positives green and false negatives blue over a photo.

    Args:
        photo: uint8 RGB (height, width, 3).
        predicted: bool (height, width).
        truth: bool (height, width).

    Returns:
        uint8 RGB (height, width, 3): the photo dimmed, right pixels tinted, wrong ones solid.
    """
    picture = photo * np.float32(DIMMED)
    right = predicted & truth
    picture[right] = (1 - TINT) * picture[right] + TINT * np.asarray(TRUE_POSITIVE, np.float32)
    picture[predicted & ~truth] = FALSE_POSITIVE
    picture[~predicted & truth] = FALSE_NEGATIVE
    return picture.astype(np.uint8)


def outlined(photo: np.ndarray, mask: np.ndarray, colour: Colour) -> np.ndarray:
    """A copy of a photo with the outline of a mask drawn on it."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(photo.shape[1] / 400))
    return cv2.drawContours(photo.copy(), outlines, -1, colour, thickness, cv2.LINE_AA)


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """A mask as uint8 RGB, white on black."""
    return np.repeat(mask.astype(np.uint8)[..., np.newaxis] * np.uint8(255), 3, axis=2)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], cell_width: int
) -> np.ndarray:
    """Lay pictures out in rows, each row under its caption.

    Args:
        rows: Pictures, uint8 RGB of any size; the first of a row sets the row's height.
        captions: One line of text for each row.
        cell_width: Width of each picture on the sheet, in pixels.

    Returns:
        uint8 RGB (height, width, 3).
    """
    gap = _gap(cell_width)
    columns = max(len(row) for row in rows)
    sheet_width = columns * (cell_width + gap) + gap
    strips = []
    for row, caption in zip(rows, captions, strict=True):
        cell_height = round(row[0].shape[0] * cell_width / row[0].shape[1])
        strip = np.full((CAPTION_HEIGHT + cell_height + gap, sheet_width, 3), BACKGROUND, np.uint8)
        write(strip, shortened(caption, sheet_width - 2 * gap), (CAPTION_HEIGHT // 2, gap))
        for column, picture in enumerate(row):
            left = gap + column * (cell_width + gap)
            strip[CAPTION_HEIGHT : CAPTION_HEIGHT + cell_height, left : left + cell_width] = (
                cv2.resize(picture, (cell_width, cell_height), interpolation=cv2.INTER_AREA)
            )
        strips.append(strip)
    return np.concatenate(strips)


def photo_sheet(
    pictures: Iterable[np.ndarray], captions: Sequence[str], columns: int, cell_width: int
) -> np.ndarray:
    """Lay pictures out in a grid, each under its own caption.

    Pictures are taken one by one, so that no more than one is in memory at its full size.

    Args:
        pictures: uint8 RGB of any size, one for each caption; none is cut, each keeps its shape.
        captions: One line of text for each picture; shortened where it is too long.
        columns: How many pictures are side by side.
        cell_width: Width of each picture on the sheet, in pixels.

    Returns:
        uint8 RGB (height, width, 3).
    """
    gap = _gap(cell_width)
    strips: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    for picture, caption in zip(pictures, captions, strict=True):
        height, width = picture.shape[:2]
        cell_height = round(height * cell_width / width)
        cell = np.full((CAPTION_HEIGHT + cell_height, cell_width + gap, 3), BACKGROUND, np.uint8)
        write(cell, shortened(caption, cell_width), (CAPTION_HEIGHT // 2, 0))
        cell[CAPTION_HEIGHT:, :cell_width] = fitted(picture, cell_width, cell_height)
        cells.append(cell)
        if len(cells) == columns or len(strips) * columns + len(cells) == len(captions):
            strips.append(_strip_of(cells, columns, gap))
            cells = []
    return np.concatenate(strips)


def drawn_at_random(photo_scores: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Some photos of all, every one as likely, for a look that is not led by the worst.

    Args:
        photo_scores: Columns ``photo_id`` and ``dice``, a row per photo; their order does not
            matter.
        count: How many; all, if there are fewer.
        seed: Another one draws other photos.

    Returns:
        Their rows, the worst first.
    """
    rows = photo_scores.sort_values("photo_id")
    drawn = np.random.default_rng(seed).permutation(len(rows))[:count]
    return rows.iloc[drawn].sort_values(["dice", "photo_id"], ignore_index=True)


def _strip_of(cells: Sequence[np.ndarray], columns: int, gap: int) -> np.ndarray:
    """Cells side by side on a white strip, room left for those that are missing."""
    width = cells[0].shape[1]
    height = max(cell.shape[0] for cell in cells)
    strip = np.full((height + gap, gap + columns * width, 3), BACKGROUND, np.uint8)
    for column, cell in enumerate(cells):
        left = gap + column * width
        strip[: cell.shape[0], left : left + width] = cell
    return strip


def error_thumbnail(
    photo: np.ndarray, predicted: np.ndarray, truth: np.ndarray, width: int
) -> np.ndarray:
    """An error map so many pixels wide, on which narrow errors can still be seen.

    Shrinking an `error_map` would fade bands of a pixel or two away. Here a pixel that is wrong in
    1/`THUMBNAIL_GAIN` of its area is painted in full: bands along the edge look wider than they
    are.

    Args:
        photo: uint8 RGB (height, width, 3).
        predicted: bool (height, width).
        truth: bool (height, width).
        width: In pixels.

    Returns:
        uint8 RGB, in the photo's shape.
    """
    height = round(photo.shape[0] * width / photo.shape[1])

    def share(mask: np.ndarray) -> np.ndarray:
        return fitted(mask.astype(np.float32), width, height)[..., np.newaxis]

    picture = fitted(photo, width, height) * np.float32(DIMMED)
    painted = (
        (predicted & truth, TRUE_POSITIVE, TINT),
        (predicted & ~truth, FALSE_POSITIVE, THUMBNAIL_GAIN),
        (~predicted & truth, FALSE_NEGATIVE, THUMBNAIL_GAIN),
    )
    for mask, colour, gain in painted:
        opacity = np.minimum(gain * share(mask), 1)
        picture += opacity * (np.asarray(colour, np.float32) - picture)
    return picture.astype(np.uint8)


def fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture at another size: averaged where it shrinks, with hard pixels where it grows."""
    shrinks = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(picture, (width, height), interpolation=method)


def legend(width: int) -> np.ndarray:
    """A strip that says what the colours of an error map mean; uint8 RGB (28, width, 3)."""
    entries = [
        (FALSE_POSITIVE, "false positive"),
        (TRUE_POSITIVE, "true positive"),
        (FALSE_NEGATIVE, "false negative"),
    ]
    return colour_key(entries, width)


def colour_key(entries: Iterable[tuple[Colour, str]], width: int) -> np.ndarray:
    """A strip of coloured squares, each with its meaning; uint8 RGB (28, width, 3)."""
    strip = np.full((CAPTION_HEIGHT, width, 3), BACKGROUND, np.uint8)
    middle, left = CAPTION_HEIGHT // 2, KEY_MARGIN
    for colour, meaning in entries:
        corner = (left + KEY_SIDE, middle + KEY_SIDE // 2)
        cv2.rectangle(strip, (left, middle - KEY_SIDE // 2), corner, colour, cv2.FILLED)
        left += KEY_SIDE + KEY_MARGIN
        write(strip, meaning, (middle, left))
        left += text_width(meaning) + 3 * KEY_MARGIN
    return strip


def _gap(cell_width: int) -> int:
    """Pixels between cells of a sheet."""
    return cell_width // 60 + 2
