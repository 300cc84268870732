"""Read photos and masks from disk, whatever their format, and say what is wrong with a bad one.

A photo is read as uint8 RGB (height, width, 3); a mask as bool (height, width), True on the car.
Both come upright (EXIF orientation applied) at their native size.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from car_segmentation.data.image_files import Limits, UnusableImage, open_image

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"}
    | {".avif", ".heic", ".heif"}
)
MASK_SUFFIXES = PHOTO_SUFFIXES | {".gif"}

HIGHEST_CLASS = 63
"""An image with more than two values and none above this has numbers of classes: masks with soft
edges, even JPEGs, reach higher."""
GREY_SPREAD = 8
"""How far apart red, green and blue may lie in a colour that is grey."""


def photo_size(path: Path, max_megapixels: float) -> tuple[int, int]:
    """Check that a photo can be decoded to its end, and return its native (height, width).

    Args:
        path: The photo.
        max_megapixels: Larger photos are refused before anything is decoded.

    Raises:
        UnusableImage: If `open_image` refuses the file, or it is truncated or damaged.
    """
    return open_image(path, Limits(max_megapixels)).check()


def read_photo(path: Path) -> np.ndarray:
    """Read a photo as uint8 sRGB (height, width, 3), upright: see `OpenImage.rgb`.

    Raises:
        UnusableImage: If the file cannot be read as a photo.
    """
    return open_image(path).rgb()


def read_mask(
    path: Path, max_megapixels: float = float("inf"), max_grey_share: float | None = None
) -> np.ndarray:
    """Read a mask as bool (height, width), True on the car.

    Whatever the encoding (0 and 1, 0 and 255, a palette, grey values, JPEG, an alpha channel),
    the car is what is brighter than half of the brightest pixel.

    Args:
        path: The mask.
        max_megapixels: Larger masks are refused before they are decoded.
        max_grey_share: Largest share of pixels, 0 to 1, that may lie between a tenth and nine
            tenths of the brightest. More of them, and the image is no mask. None: any share.

    Raises:
        UnusableImage: If the file cannot be read, or, with ``max_grey_share``, has too many grey
            pixels to be a mask, or numbers of several classes.
    """
    image = open_image(path, Limits(max_megapixels)).upright()
    if max_grey_share is not None:
        _refuse_label_map(image)
    values = _mask_values(image)
    brightest = int(values.max())
    if max_grey_share is not None:
        grey_share = _share_between(values, brightest * 0.1, brightest * 0.9)
        if grey_share > max_grey_share:
            raise UnusableImage(
                f"is no mask: {grey_share:.0%} of its pixels are neither dark nor bright "
                f"(checks.max_grey_share is {max_grey_share:g})"
            )
    return values > brightest // 2


def resize_by_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image by averaging over areas, as every photo is that a network sees."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _share_between(values: np.ndarray, low: float, high: float) -> float:
    """Share of uint8 values strictly between two bounds."""
    counts = cv2.calcHist([values], [0], None, [256], [0, 256]).ravel()
    level = np.arange(256)
    return float(counts[(level > low) & (level < high)].sum() / values.size)


def _refuse_label_map(image: Image.Image) -> None:
    """Refuse numbers of classes in place of dark and bright: nothing says which are meant."""
    if image.mode not in {"L", "P"}:
        return
    numbers = np.flatnonzero(image.histogram()[:256])
    colours = np.stack([numbers] * 3, axis=1) if image.mode == "L" else _palette(image)[numbers]
    is_coloured = (np.ptp(colours, axis=1) > GREY_SPREAD).any()
    if len(numbers) > 2 and (is_coloured or colours.max() <= HIGHEST_CLASS):
        listed = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
        raise UnusableImage(
            f"holds numbers of several classes ({listed}), not one mask: docs/own_photos.md says "
            "how to make masks of it"
        )


def _palette(image: Image.Image) -> np.ndarray:
    """The palette's 256 colours, int (256, 3); black where it has no entry."""
    colours = np.zeros((256, 3), int)
    entries = np.array(image.getpalette("RGB")).reshape(-1, 3)
    colours[: len(entries)] = entries
    return colours


def _mask_values(image: Image.Image) -> np.ndarray:
    """One uint8 value a pixel, brighter on the car."""
    if image.mode == "P":
        # Two colours are dark and bright in this order even where a palette says otherwise.
        indices = np.asarray(image)
        if indices.max() <= 1:
            return indices
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in {"LA", "RGBA"}:
        alpha = np.asarray(image.getchannel("A"))
        if alpha.min() < alpha.max():
            return alpha
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        return (values * (255 / max(values.max(), 255))).astype(np.uint8)
    return np.asarray(image.convert("L"))
