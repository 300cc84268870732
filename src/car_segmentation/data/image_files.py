"""The single entry point for image files and bytes from outside.

What is opened: regular files (symbolic links are followed to one; FIFOs, devices and sockets are
refused), of a format in `FORMATS`, detected from the content, not the name, within `Limits`. The
header alone is read first, so that nothing is decoded before its size is known. A reader is never
started that could take long: a JPEG's scans are counted, and inner images of containers, animations
and further pages are never decoded.

What comes out is upright, by one reading of the orientation that a file states (EXIF wherever the
format keeps it, else XMP), and photos are sRGB, whatever profile they carry.

The module imports nothing of the project, so that a server may carry it along.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

try:
    import pillow_heif
except ImportError:  # The extra `heif`.
    pillow_heif = None
else:
    pillow_heif.register_heif_opener()

# Our own limit on pixels replaces Pillow's fixed one; its remarks on odd metadata help nobody here.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
"""Formats that are read, as Pillow calls them. None of their readers starts another program."""
MAX_SCANS = 100
"""Of a JPEG. Encoders write about ten; each costs a pass over all pixels, and a small file can
have thousands."""
MAX_TILE_FACTOR = 4
"""Most that a TIFF's tiles may be larger than its image, as a factor."""
SAME_COLOUR = 3
"""Levels by which a profile's colours may differ from sRGB's and need no conversion."""

_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, lambda pixels: pixels[:, ::-1]),
    3: (Image.Transpose.ROTATE_180, lambda pixels: pixels[::-1, ::-1]),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, lambda pixels: pixels[::-1]),
    5: (Image.Transpose.TRANSPOSE, lambda pixels: pixels.swapaxes(0, 1)),
    6: (Image.Transpose.ROTATE_270, lambda pixels: np.rot90(pixels, -1)),
    7: (Image.Transpose.TRANSVERSE, lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1)),
    8: (Image.Transpose.ROTATE_90, lambda pixels: np.rot90(pixels, 1)),
}
"""EXIF's orientations other than 1: from the stored to the upright image, Pillow's and NumPy's."""
_SIDEWAYS = frozenset({5, 6, 7, 8})


class UnusableImage(Exception):
    """An image that cannot be used; the message is the reason, worded for the user.

    Attributes:
        path: The file, where its reader said so: see `of_file`.
    """

    path: Path | None = None


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Note the file in an error that says why it cannot be used."""
    try:
        yield
    except UnusableImage as problem:
        problem.path = path
        raise


@dataclass(frozen=True)
class Limits:
    """Limits of a file, checked before it is decoded.

    Attributes:
        megapixels: Width times height, in millions.
        megabytes: Size of the file, in millions of bytes.
    """

    megapixels: float = float("inf")
    megabytes: float = 500.0


NO_PIXEL_LIMIT = Limits()
"""For files that were checked before, or that this program wrote."""


def open_image(source: Path | bytes, limits: Limits = NO_PIXEL_LIMIT) -> "OpenImage":
    """Open an image without decoding it.

    Args:
        source: A file, or its content.
        limits: Larger files and images are refused.

    Raises:
        UnusableImage: If it is not a regular file, empty, of no format that is read, has a broken
            header, or exceeds a limit.
    """
    content = source if isinstance(source, bytes) else _read_bytes(source, limits)
    if not content:
        raise UnusableImage("is empty (0 bytes)")
    if len(content) > limits.megabytes * 1e6:
        raise _too_many_bytes(len(content), limits)
    header = _open(content)
    megapixels = header.width * header.height / 1e6
    if megapixels > limits.megapixels:
        raise UnusableImage(
            f"is too large: {header.width}×{header.height} is {megapixels:.0f} megapixels "
            f"(at most {limits.megapixels:g}: checks.max_megapixels)"
        )
    if header.format == "TIFF":
        _refuse_vast_tiles(header)
    if header.format in {"JPEG", "MPO"}:
        scans = _count_scans(content)
        if scans > MAX_SCANS:
            raise UnusableImage(
                f"is a JPEG of {scans} scans, which would take too long to decode (at most "
                f"{MAX_SCANS}): save it again"
            )
    return OpenImage(content, header)


@dataclass(frozen=True)
class OpenImage:
    """An image whose header was read, and found to be within the limits.

    Attributes:
        content: The file's bytes.
        header: Pillow's image, not decoded.
    """

    content: bytes
    header: Image.Image

    @property
    def format(self) -> str:
        """One of `FORMATS`."""
        name = self.header.format or ""
        return "JPEG" if name == "MPO" else name  # Several JPEGs in one file: the first counts.

    @property
    def pixel_count(self) -> int:
        """How many pixels it has, by its header."""
        return self.header.width * self.header.height

    @property
    def is_lossy(self) -> bool:
        """True if compression may have changed values."""
        lossless_webp = self.format == "WEBP" and self.content[12:16] == b"VP8L"
        return self.format in {"JPEG", "WEBP", "AVIF", "HEIF"} and not lossless_webp

    def check(self) -> tuple[int, int]:
        """Read the image to its end, and return the upright one's (height, width).

        A JPEG is decoded at an eighth of its size, which reads every byte for a fraction of the
        time.

        Raises:
            UnusableImage: If it is truncated or damaged.
        """
        if self.format == "JPEG":
            self._decode_jpeg(smallest=True)
            image = self.header
        else:
            image = self._decoded
        width, height = image.size
        return (width, height) if _orientation(image) in _SIDEWAYS else (height, width)

    def upright(self) -> Image.Image:
        """The decoded image in its own mode, upright; colours as they are stored.

        Raises:
            UnusableImage: If it is truncated or damaged.
        """
        image = self._decoded
        turn = _TURNS.get(_orientation(image))
        return image if turn is None else image.transpose(turn[0])

    def rgb(self) -> np.ndarray:
        """The decoded image, uint8 sRGB (height, width, 3), upright.

        Greyscale is repeated over the channels, CMYK and LAB converted, alpha dropped, and 16 bits
        are reduced to 8.

        Raises:
            UnusableImage: If it is truncated or damaged, or nothing says which of its values are
                black and white.
        """
        profile = self.header.info.get("icc_profile") or b""
        if self.format == "JPEG" and self.header.mode != "CMYK" and not profile:
            pixels = self._decode_jpeg()
        else:
            pixels = _as_srgb(self._eight_bits(), profile)
        turn = _TURNS.get(_orientation(self.header))  # Known once it is decoded.
        return pixels if turn is None else np.ascontiguousarray(turn[1](pixels))

    def _eight_bits(self) -> Image.Image:
        """The stored image in a mode that has a colour profile's meaning: L, RGB, CMYK or LAB."""
        if self.format == "JPEG" and self.header.mode != "CMYK":
            pixels = self._decode_jpeg()
            return Image.fromarray(pixels[..., 0] if self.header.mode == "L" else pixels)
        image = self._decoded
        if image.mode.startswith("I;16"):
            return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode in {"I", "F"}:
            kind = "numbers of 32 bits" if image.mode == "I" else "floating-point numbers"
            raise UnusableImage(
                f"holds {kind}, and nothing says which values are black and white: save it with 8 "
                "or 16 bits a channel"
            )
        if image.mode in {"L", "RGB", "CMYK", "LAB"}:
            return image
        return image.convert("L" if image.mode in {"1", "LA", "La"} else "RGB")

    @cached_property
    def _decoded(self) -> Image.Image:
        """The stored image, decoded by Pillow to its end."""
        if self.format == "JPEG":
            self._decode_jpeg(smallest=True)  # Pillow overlooks damage.
        try:
            if self.format == "PNG":  # Decoding does not look at checksums.
                _open(self.content).verify()
            self.header.load()
        except UnusableImage:
            raise
        except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error, …
            raise _damaged(error) from error
        return self.header

    def _decode_jpeg(self, smallest: bool = False) -> np.ndarray:
        """Decode a JPEG as stored, uint8; every warning of the reader's is an error.

        Args:
            smallest: Whether an eighth of height and width in some colours is enough.

        Returns:
            RGB (height, width, 3), where it is not the smallest.
        """
        try:
            if smallest:
                space = "CMYK" if self.header.mode == "CMYK" else "GRAY"
                return simplejpeg.decode_jpeg(self.content, space, True, True, 1, 1)
            return simplejpeg.decode_jpeg(self.content, "RGB")
        except ValueError as error:
            raise _damaged(error) from error


def _read_bytes(path: Path, limits: Limits) -> bytes:
    try:
        # Without waiting for somebody to write into a FIFO.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise UnusableImage("is not a regular file (a pipe, a device or a folder)")
            if state.st_size > limits.megabytes * 1e6:
                raise _too_many_bytes(state.st_size, limits)
            return file.read(int(limits.megabytes * 1e6) + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnusableImage(f"cannot be read ({reason})") from error


def _too_many_bytes(size: int, limits: Limits) -> UnusableImage:
    megabytes = f"{size / 1e6:.1f}" if size < 1e8 else f"{size / 1e6:.0f}"
    return UnusableImage(f"is too large: {megabytes} megabytes (at most {limits.megabytes:g})")


def _damaged(error: Exception) -> UnusableImage:
    return UnusableImage(f"is truncated or damaged ({error})")


def _open(content: bytes) -> Image.Image:
    """Read the header of an image of one of `FORMATS`."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise UnusableImage(_reason_not_to_open(content)) from error
    except Exception as error:  # As when decoding: every reader has its own.
        raise UnusableImage(f"has a broken header ({error})") from error


def _reason_not_to_open(content: bytes) -> str:
    """Why nothing on the list takes this content."""
    brand = content[8:12] if content[4:8] == b"ftyp" else b""
    if brand in {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
        if pillow_heif is None:
            return (
                "is a HEIC photo, as phones take them, and the package that reads them is not "
                "installed: pip install -e '.[heif]'"
            )
        return "has a broken header (HEIC)"
    if brand in {b"avif", b"avis"}:
        return "is AVIF, and cannot be read: it is broken, or Pillow was built without AVIF"
    return "is not an image of a format that is read (JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC, AVIF)"


def _refuse_vast_tiles(header: Image.Image) -> None:
    tags = getattr(header, "tag_v2", {})
    width, height = (tags.get(tag, 0) for tag in (322, 323))  # TileWidth, TileLength
    if isinstance(width, int) and isinstance(height, int):
        allowed = MAX_TILE_FACTOR * max(header.width * header.height, 1_000_000)
        if width * height > allowed:
            raise UnusableImage(f"has a broken header (tiles of {width}×{height} pixels)")


def _count_scans(content: bytes) -> int:
    """Count the scans of the first JPEG of a file; an upper bound where they are few."""
    start_of_scan = b"\xff\xda"
    found = content.count(start_of_scan)
    if found <= MAX_SCANS:
        return found  # Those of thumbnails in the header included.
    scans, position = 0, 2
    while position + 4 <= len(content):
        # Within a scan, 0xFF is followed by 0 or by a restart marker.
        if content[position] != 0xFF or content[position + 1] in {0, *range(0xD0, 0xD8)}:
            position = content.find(b"\xff", position + 1)
            if position < 0:
                break
            continue
        marker = content[position + 1]
        if marker == 0xD9:
            break
        if marker == 0xFF:
            position += 1
            continue
        scans += marker == 0xDA
        position += 2 + int.from_bytes(content[position + 2 : position + 4])
    return scans


def _orientation(image: Image.Image) -> int:
    """Orientation of the stored image, 1 to 8: EXIF's, or XMP's where EXIF has none."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Broken metadata: the photo is taken as it is.
        return 1
    return orientation if orientation in _TURNS else 1


def _as_srgb(image: Image.Image, profile: bytes) -> np.ndarray:
    """Colours of an L, RGB, CMYK or LAB image as uint8 sRGB (height, width, 3)."""
    transform = _to_srgb(profile, image.mode) if profile else None
    if transform is None:
        return np.asarray(image.convert("RGB"))
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # Only where it works in place.
    return np.asarray(converted)


@lru_cache(maxsize=32)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion of a profile's colours to sRGB's; None where none is needed, or possible."""
    try:
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(io.BytesIO(profile), srgb, mode, "RGB")
        levels = np.linspace(0, 255, 9).astype(np.uint8)
        if mode != "RGB":
            return transform
        colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
        seen = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # Broken, or of another kind of image: viewers pass over it, too.
    is_srgb = np.abs(seen.astype(int) - colours).max() <= SAME_COLOUR
    return None if is_srgb else transform
