"""Read photos and masks from disk, whatever their format, and say what is wrong with a bad one.

A photo is read as uint8 RGB (height, width, 3); a mask as bool (height, width), True on the car.
Both come upright (EXIF orientation applied) at their native size.
"""

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Our own limit on pixels (a parameter, in megapixels) replaces Pillow's fixed one.
Image.MAX_IMAGE_PIXELS = None

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
MASK_SUFFIXES = PHOTO_SUFFIXES | {".gif"}

ORIENTATION_TAG = 0x0112
SIDEWAYS_ORIENTATIONS = frozenset({5, 6, 7, 8})

HIGHEST_CLASS = 63
"""An image with more than two values and none above this has numbers of classes: masks with soft
edges, even JPEGs, reach higher."""
GREY_SPREAD = 8
"""How far apart red, green and blue may lie in a colour that is grey."""


class UnusableImage(Exception):
    """An image that cannot be used; the message is the reason, worded for the user."""


def photo_size(path: Path, max_megapixels: float) -> tuple[int, int]:
    """Check that a photo can be decoded to its end, and return its native (height, width).

    A JPEG is decoded at an eighth of its size, which reads every byte for a fifth of the time.

    Args:
        path: The photo.
        max_megapixels: Larger photos are refused before anything is decoded.

    Raises:
        UnusableImage: If the file is empty, unreadable, no image, truncated or too large.
    """
    with _open_of_fair_size(path, max_megapixels) as image:
        width, height = image.size
        image.draft("RGB", (width // 8, height // 8))
        _decode(image)
        sideways = image.getexif().get(ORIENTATION_TAG) in SIDEWAYS_ORIENTATIONS
    return (width, height) if sideways else (height, width)


def read_photo(path: Path) -> np.ndarray:
    """Read a photo as uint8 RGB (height, width, 3).

    Greyscale is repeated over the channels, CMYK converted, alpha dropped, and 16 bits are
    reduced to 8.

    Raises:
        UnusableImage: If the file cannot be read as an image.
    """
    content = _read_bytes(path)
    photo = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if photo is not None:
        return photo
    # Pillow takes three times as long, and reads a few formats more.
    image = _open(content)
    _decode(image)
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


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
    with _open_of_fair_size(path, max_megapixels) as image:
        _decode(image)
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


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableImage(f"cannot be read ({error.strerror})") from error
    if not content:
        raise UnusableImage("is empty (0 bytes)")
    return content


def _open_of_fair_size(path: Path, max_megapixels: float) -> Image.Image:
    """Open an image without decoding it, and check its size."""
    image = _open(_read_bytes(path))
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise UnusableImage(
            f"is too large: {image.width}×{image.height} is {megapixels:.0f} megapixels "
            f"(checks.max_megapixels is {max_megapixels:g})"
        )
    return image


def _open(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata help nobody here.
            return Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise UnusableImage("is not an image") from error
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error, …
        raise UnusableImage(f"has a broken header ({error})") from error


def _decode(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:  # As above: every codec has its own.
        raise UnusableImage(f"is truncated or damaged ({error})") from error


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
    ImageOps.exif_transpose(image, in_place=True)
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
