"""Augmentation: one affine warp for photo and mask alike, and colour jitter, drawn every epoch."""

from dataclasses import dataclass

import cv2
import numpy as np

from car_segmentation.data.colour_jitter import jitter_colour

BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "replicate": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}
"""Fill beyond the photo's edge: its mirror image, its last pixels, or black."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the augmentation in training.

    Shift, scale and rotation are one warp: one interpolation keeps edges sharp.

    Attributes:
        shift: Largest shift, as a fraction of height and width.
        scale: Largest change of size; 0.1 means 0.9 to 1.1 times.
        rotate: Largest rotation in degrees, either way.
        probability: How often a photo is warped at all, 0 to 1.
        flip_probability: How often it is mirrored left to right, 0 to 1.
        border: A key of `BORDERS`.
        hue: Largest shift of the photo's hues in degrees, either way.
        saturation: Largest change of saturation, as a fraction of the full range.
        brightness: Largest change of brightness (HSV's value), as a fraction of the full range.
        colour_probability: How often a photo has its colours changed, 0 to 1.
    """

    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    probability: float = 0.0
    flip_probability: float = 0.0
    border: str = "reflect"
    hue: float = 0.0
    saturation: float = 0.0
    brightness: float = 0.0
    colour_probability: float = 0.0


def draw_warp(
    augmentation: Augmentation, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw an affine map, float64 (2, 3), from pixels of the photo to pixels of the result."""
    # Always the same number of draws, so that one setting does not change another's.
    warped, flipped = rng.random(2) < (augmentation.probability, augmentation.flip_probability)
    shift_x, shift_y, scale, rotate = rng.uniform(-1, 1, 4)
    matrix: np.ndarray = np.eye(2, 3)
    if warped:
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(
            centre, rotate * augmentation.rotate, 1 + scale * augmentation.scale
        )
        matrix[:, 2] += (
            augmentation.shift * shift_x * width,
            augmentation.shift * shift_y * height,
        )
    if flipped:
        matrix = np.array([[-1, 0, width - 1], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
    return matrix


def warp(
    image: np.ndarray, matrix: np.ndarray, border: str, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Apply an affine map to a photo or a soft mask, with bilinear interpolation.

    Args:
        image: (height, width) or (height, width, channels), uint8 or float32.
        matrix: From `draw_warp`.
        border: A key of `BORDERS`.
        size: Height and width of the result; None for those of the image.

    Returns:
        An image of the same channels and dtype.
    """
    height, width = size or image.shape[:2]
    if np.array_equal(matrix, np.eye(2, 3)) and (height, width) == image.shape[:2]:
        return image
    return cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=BORDERS[border]
    )


def augment_pair(
    photo: np.ndarray, mask: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Warp a photo (height, width, 3) and its soft mask (height, width) by the same draw.

    Then the photo's colours are changed.
    """
    height, width = photo.shape[:2]
    matrix = draw_warp(augmentation, height, width, rng)
    photo, mask = (warp(image, matrix, augmentation.border) for image in (photo, mask))
    return jitter_colour(photo, augmentation, rng), mask


def share_in_frame(mask: np.ndarray, matrix: np.ndarray) -> float:
    """Fraction of an object that a warp leaves inside the frame.

    Args:
        mask: bool (height, width), with at least one pixel set.
        matrix: From `draw_warp`.

    Returns:
        Fraction of the mask's pixels, 0 to 1, that are still inside after the warp.
    """
    height, width = mask.shape
    y, x = np.nonzero(mask)
    moved_x, moved_y = matrix @ np.stack([x, y, np.ones_like(x)])
    inside_x = (moved_x > -0.5) & (moved_x < width - 0.5)
    inside_y = (moved_y > -0.5) & (moved_y < height - 0.5)
    return float((inside_x & inside_y).mean())


def draw_generator(seed: int, epoch: int, row: int) -> np.random.Generator:
    """The random numbers for one photo in one epoch, whatever order or thread it is read in."""
    return np.random.default_rng((seed, epoch, row))
