"""Masks to annotate, and how a file of annotations reads."""

from pathlib import Path

import cv2
import numpy as np

from car_segmentation.data.annotations import Choice, read_annotations
from car_segmentation.data.annotations.polygons import Patch

ANY = Choice()


def blobs(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """Several parts with holes, some of which touch the border; bool (height, width)."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    return cv2.GaussianBlur(noise, (0, 0), 0.8 + seed % 3 / 4) > 0.02


def painted(patch: Patch, height: int, width: int) -> np.ndarray:
    """A patch on a photo of that size; bool (height, width)."""
    mask = np.zeros((height, width), bool)
    rows, columns = patch.pixels.shape
    mask[patch.top : patch.top + rows, patch.left : patch.left + columns] = patch.pixels
    return mask


def drawn(path: Path, size: tuple[int, int], choice: Choice = ANY) -> dict[str, np.ndarray]:
    """The masks of a file or folder of annotations, by the photo's likeliest name."""
    found = read_annotations(path)
    assert not found.problems
    return {it.names[0]: it.mask(size, choice)[0] for it in found.annotations}
