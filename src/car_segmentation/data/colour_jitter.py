"""Colour jitter: other hues, saturation and brightness of a photo."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from car_segmentation.data.augmentation import Augmentation


def jitter_colour(
    photo: np.ndarray, augmentation: "Augmentation", rng: np.random.Generator
) -> np.ndarray:
    """Change hue, saturation and brightness of a uint8 photo (height, width, 3) by one draw."""
    changed = rng.random() < augmentation.colour_probability
    amounts = rng.uniform(-1, 1, 3)
    largest = (augmentation.hue, augmentation.saturation, augmentation.brightness)
    if not changed or not any(largest):
        return photo
    # OpenCV has a hue in steps of two degrees.
    turn, *more = np.round(amounts * largest * (1 / 2, 255, 255)).astype(int)
    levels = np.arange(256)
    tables = np.dstack([(levels + turn) % 180, *(np.clip(levels + step, 0, 255) for step in more)])
    hsv = cv2.LUT(cv2.cvtColor(photo, cv2.COLOR_RGB2HSV), tables.astype(np.uint8))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
