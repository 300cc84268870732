"""Shapes of annotated objects, drawn at the photo's own size when their pixels are asked for."""

import base64
import binascii
import io
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from car_segmentation.data.annotations.coco_text import unpack_counts
from car_segmentation.data.annotations.polygons import Patch, fill_ellipse, fill_polygon


class Shape(Protocol):
    """Something that covers pixels of a photo."""

    def patch(self, height: int, width: int) -> Patch:
        """Draw it in a photo of this size.

        Raises:
            ValueError: If nothing sensible can be drawn.
        """


@dataclass(frozen=True)
class Polygon:
    """An outline and its holes, of x and y in pixels, or as fractions of the photo's size."""

    rings: Sequence[np.ndarray]
    relative: bool = False

    def patch(self, height: int, width: int) -> Patch:
        """See `polygons.fill_polygon`."""
        scale = (width, height) if self.relative else (1, 1)
        with np.errstate(over="ignore"):  # What is too far away is refused in the next line.
            rings = [ring * scale for ring in self.rings]
        return fill_polygon(rings, height, width)


@dataclass(frozen=True)
class Ellipse:
    """See `polygons.fill_ellipse`."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    rotation: float = 0.0

    def patch(self, height: int, width: int) -> Patch:
        """See `polygons.fill_ellipse`."""
        return fill_ellipse(self.centre, self.radii, self.rotation, height, width)


@dataclass(frozen=True)
class CocoRunLengths:
    """COCO's run lengths, down the columns: numbers, or packed into a text."""

    height: int
    width: int
    counts: Sequence[int] | str

    def patch(self, height: int, width: int) -> Patch:
        """The whole photo."""
        _check_size((self.height, self.width), (height, width))
        counts = unpack_counts(self.counts) if isinstance(self.counts, str) else self.counts
        return Patch(0, 0, runs_to_pixels(np.asarray(counts), width, height).T)


@dataclass(frozen=True)
class RunLengths:
    """Run lengths along the rows of a part of the photo, its background first (CVAT)."""

    top: int
    left: int
    height: int
    width: int
    counts: Sequence[int]

    def patch(self, height: int, width: int) -> Patch:
        """That part of the photo."""
        _check_within(self.height, self.width, height, width)
        pixels = runs_to_pixels(np.asarray(self.counts), self.height, self.width)
        return Patch(self.top, self.left, pixels)


@dataclass(frozen=True)
class Bitmap:
    """A small picture in base64, at a place of the photo: zipped (Supervisely) or not (LabelMe)."""

    top: int
    left: int
    data: str
    zipped: bool = False

    def patch(self, height: int, width: int) -> Patch:
        """Where the picture is not black or, with an alpha channel, not transparent."""
        try:
            content = base64.b64decode(self.data, validate=True)
            if self.zipped:
                # A photo's worth of uncompressed pixels and some; a bomb would be longer.
                content = zlib.decompressobj().decompress(content, 5 * height * width + 65536)
            picture: Image.Image = Image.open(io.BytesIO(content), formats=["PNG"])
            _check_within(picture.height, picture.width, height, width)
            picture.load()
        except (binascii.Error, zlib.error, OSError, SyntaxError, EOFError) as error:
            raise ValueError("a picture in it is damaged") from error
        if picture.has_transparency_data:
            picture = picture.convert("RGBA").getchannel("A")
        return Patch(self.top, self.left, np.asarray(picture.convert("L")) > 0)


@dataclass(frozen=True)
class Unreadable:
    """Something that an object was annotated with and that gives no mask."""

    reason: str

    def patch(self, height: int, width: int) -> Patch:
        """Never."""
        raise ValueError(self.reason)


def paint(canvas: np.ndarray, patch: Patch, value: Any) -> None:
    """Set the pixels of a canvas that a patch covers; what lies outside is left out."""
    top, left = max(patch.top, 0), max(patch.left, 0)
    pixels = patch.pixels[top - patch.top :, left - patch.left :]
    part = canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    part[pixels[: part.shape[0], : part.shape[1]]] = value


def runs_to_pixels(counts: np.ndarray, height: int, width: int) -> np.ndarray:
    """Lengths of runs along the rows, background first, as bool (height, width).

    Raises:
        ValueError: If they are no lengths, or do not add up to the pixels.

    Example:
        >>> runs_to_pixels(np.array([1, 2, 3]), 2, 3).astype(int)
        array([[0, 1, 1],
               [0, 0, 0]])
    """
    if counts.ndim != 1 or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError("its run lengths are not whole numbers from 0 on")
    if counts.sum() != height * width:
        raise ValueError(
            f"its run lengths add up to {counts.sum()} pixels, not to {width}×{height}"
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(height, width)


def pixels_to_runs(pixels: np.ndarray) -> list[int]:
    """Lengths of runs along the rows, background first; the reverse of `runs_to_pixels`.

    Example:
        >>> pixels_to_runs(np.array([[False, True, True], [False, False, False]]))
        [1, 2, 3]
    """
    flat = pixels.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(changes, prepend=0, append=flat.size).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def as_ring(points: Iterable[Any]) -> np.ndarray:
    """Points of x and y as float (points, 2).

    Raises:
        ValueError: If they are not at least three such points.
    """
    ring = np.array([(float(x), float(y)) for x, y in points])
    if len(ring) < 3:
        raise ValueError("an outline needs three points or more")
    return ring


def _check_size(stated: tuple[int, int], photo: tuple[int, int]) -> None:
    if stated != photo:
        raise ValueError(
            f"its mask is {stated[1]}×{stated[0]} pixels, and the photo {photo[1]}×{photo[0]}"
        )


def _check_within(height: int, width: int, photo_height: int, photo_width: int) -> None:
    if not (0 <= height <= photo_height and 0 <= width <= photo_width):
        raise ValueError(
            f"its mask is {width}×{height} pixels, and the photo {photo_width}×{photo_height}"
        )
