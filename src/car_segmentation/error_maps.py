"""Pictures of what is right and wrong, in the colours of the post."""

from collections.abc import Sequence

import cv2
import numpy as np

FALSE_POSITIVE = (214, 39, 40)
"""Red: taken for car, and is not."""
TRUE_POSITIVE = (44, 160, 44)
"""Green: rightly car."""
FALSE_NEGATIVE = (31, 90, 220)
"""Blue: car, and missed."""

DIMMED = 0.35
"""How much of the photo's brightness is left under an error map."""
TINT = 0.35
"""How strongly right pixels are tinted green; wrong ones are painted over in full."""

CAPTION_HEIGHT = 28
LEGEND_SPACING = 150
BACKGROUND = (255, 255, 255)
INK = (30, 30, 30)


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


def outlined(photo: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
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
    gap = cell_width // 60 + 2
    columns = max(len(row) for row in rows)
    sheet_width = columns * (cell_width + gap) + gap
    strips = []
    for row, caption in zip(rows, captions, strict=True):
        cell_height = round(row[0].shape[0] * cell_width / row[0].shape[1])
        strip = np.full((CAPTION_HEIGHT + cell_height + gap, sheet_width, 3), BACKGROUND, np.uint8)
        _write(strip, caption, gap)
        for column, picture in enumerate(row):
            left = gap + column * (cell_width + gap)
            strip[CAPTION_HEIGHT : CAPTION_HEIGHT + cell_height, left : left + cell_width] = (
                cv2.resize(picture, (cell_width, cell_height), interpolation=cv2.INTER_AREA)
            )
        strips.append(strip)
    return np.concatenate(strips)


def legend(width: int) -> np.ndarray:
    """A strip that says what the colours of an error map mean; uint8 RGB (28, width, 3)."""
    strip = np.full((CAPTION_HEIGHT, width, 3), BACKGROUND, np.uint8)
    entries = [
        (FALSE_POSITIVE, "false positive"),
        (TRUE_POSITIVE, "true positive"),
        (FALSE_NEGATIVE, "false negative"),
    ]
    for number, (colour, meaning) in enumerate(entries):
        left = 8 + number * LEGEND_SPACING
        cv2.rectangle(strip, (left, 8), (left + 14, 20), colour, cv2.FILLED)
        _write(strip, meaning, left + 20)
    return strip


def _write(picture: np.ndarray, text: str, left: int) -> None:
    """Write one line of text; OpenCV's font has ASCII alone."""
    ascii_text = text.encode("ascii", "replace").decode()
    position = (left, CAPTION_HEIGHT - 9)
    cv2.putText(picture, ascii_text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
