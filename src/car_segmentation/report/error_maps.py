"""Pictures of what is right and wrong, in the colours of the post."""

import cv2
import numpy as np

from car_segmentation.report.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, Colour
from car_segmentation.report.contact_sheets import fitted
from car_segmentation.report.text_drawing import colour_key

DIMMED = 0.35
"""Fraction of the photo's brightness that is left under an error map."""
TINT = 0.35
"""Opacity of the green of right pixels; wrong ones are opaque."""

THUMBNAIL_GAIN = 3.0
"""Factor by which a wrong spot shows more strongly on a thumbnail than its area alone."""


def error_map(photo: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Draw false positives red, true positives green and false negatives blue over a photo.

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


def outlined(
    photo: np.ndarray, mask: np.ndarray, colour: Colour, thickness: int | None = None
) -> np.ndarray:
    """A copy of a photo with the outline of a mask drawn on it.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: bool (height, width).
        colour: Of the outline.
        thickness: Of the outline in pixels; None for 1/400 of the photo's width.
    """
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = thickness or max(1, round(photo.shape[1] / 400))
    return cv2.drawContours(photo.copy(), outlines, -1, colour, thickness, cv2.LINE_AA)


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """A mask as uint8 RGB, white on black."""
    return np.repeat(mask.astype(np.uint8)[..., np.newaxis] * np.uint8(255), 3, axis=2)


def error_thumbnail(
    photo: np.ndarray, predicted: np.ndarray, truth: np.ndarray, width: int
) -> np.ndarray:
    """An error map of a given width, on which narrow errors can still be seen.

    Shrinking an `error_map` would fade bands of a pixel or two away. Here a pixel that is wrong in
    1/`THUMBNAIL_GAIN` of its area is drawn in full: bands along the edge look wider than they
    are.

    Args:
        photo: uint8 RGB (height, width, 3).
        predicted: bool (height, width).
        truth: bool (height, width).
        width: In pixels.

    Returns:
        uint8 RGB, in the photo's shape.
    """
    picture = fitted(photo, width) * np.float32(DIMMED)
    layers = (
        (predicted & truth, TRUE_POSITIVE, TINT),
        (predicted & ~truth, FALSE_POSITIVE, THUMBNAIL_GAIN),
        (~predicted & truth, FALSE_NEGATIVE, THUMBNAIL_GAIN),
    )
    for mask, colour, gain in layers:
        opacity = np.minimum(gain * fitted(mask.astype(np.float32), width), 1)
        picture += opacity[..., np.newaxis] * (np.asarray(colour, np.float32) - picture)
    return picture.astype(np.uint8)


def legend(width: int) -> np.ndarray:
    """A strip that says what the colours of an error map mean; uint8 RGB (28, width, 3)."""
    entries = [
        (FALSE_POSITIVE, "false positive"),
        (TRUE_POSITIVE, "true positive"),
        (FALSE_NEGATIVE, "false negative"),
    ]
    return colour_key(entries, width)
