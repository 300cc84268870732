"""Read photos at their native size, and resize them for the network."""

from pathlib import Path

import cv2
import numpy as np

from car_segmentation.data.image_files import UnusableImage, of_file, open_image

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"}
    | {".avif", ".heic", ".heif"}
)
MASK_SUFFIXES = PHOTO_SUFFIXES | {".gif"}


def read_photo(path: Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read a photo as uint8 sRGB (height, width, 3), upright: see `OpenImage.rgb`.

    Args:
        path: The file.
        shape: Height and width of its mask, where it has one.

    Raises:
        UnusableImage: If the file cannot be read as a photo, or is not as large as its mask.
    """
    with of_file(path):
        photo = open_image(path).rgb()
        if shape is not None and photo.shape[:2] != shape:
            size, of_mask = (f"{width}×{height}" for height, width in (photo.shape[:2], shape))
            raise UnusableImage(f"is {size} pixels, and its mask {of_mask}")
    return photo


def resize_by_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image by averaging over areas, as every photo is that a network sees."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
