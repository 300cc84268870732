"""Pictures for shops: a cut-out on a canvas of a fixed size or proportion, with a margin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import CanvasOptions
from car_segmentation.prediction.composites import Backdrop, composite
from car_segmentation.prediction.shadow import smooth_step

MOST_PIXELS = 200_000_000
"""Of a canvas."""


class Box(NamedTuple):
    """Place of an object in its photo, in pixels; width and height are 0 where there is none."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Canvas:
    """Layout of objects on canvases.

    Attributes:
        width: Of the canvas, in pixels.
        height: Likewise.
        scale: Pixels of the canvas for one of the photo.
        margin: Pixels that stay free at the bottom where things stand on a floor line.
        align: Whether things are centred, or stand on the line.
    """

    width: int
    height: int
    scale: float
    margin: float
    align: Literal["centre", "floor"]


def box_of(mask: np.ndarray) -> Box:
    """The smallest box around the object in a mask, bool (height, width)."""
    return Box(*cv2.boundingRect(mask.view(np.uint8)))


def plan_canvas(boxes: Sequence[Box], options: CanvasOptions) -> Canvas:
    """The canvas for several views of one thing: the same size and scale for all.

    A fixed size is filled by the largest view, up to the margins. Without one, pixels stay as they
    are, and the canvas is as large as it has to be for its proportion.

    Args:
        boxes: The object's box in each view; views without it don't count.
        options: What is asked for.

    Raises:
        UserError: If a canvas without a fixed size would be huge.
    """
    width = max([box.width for box in boxes], default=0) or 1
    height = max([box.height for box in boxes], default=0) or 1
    free = 1 - 2 * options.margin
    if options.width is not None and options.height is not None:
        margin = options.margin * min(options.width, options.height)
        scale = min((options.width - 2 * margin) / width, (options.height - 2 * margin) / height)
        return Canvas(options.width, options.height, scale, margin, options.align)
    # Margins are of the canvas' shorter side: `short` is its length.
    proportion = options.proportion or width / height
    across, down = max(proportion, 1.0), max(1 / proportion, 1.0)
    short = max(width / (across - 1 + free), height / (down - 1 + free))
    # A tenth of a pixel is rounding, not room.
    size = [int(np.ceil(short * length - 0.1)) for length in (across, down)]
    if size[0] * size[1] > MOST_PIXELS:
        raise UserError(
            f"A canvas of {size[0]}×{size[1]} pixels is too large. Give it a width and a height, "
            "or a proportion closer to the object's."
        )
    return Canvas(size[0], size[1], 1.0, options.margin * short, options.align)


def lay_on_canvas(picture: np.ndarray, box: Box, canvas: Canvas) -> np.ndarray:
    """Move and scale a cut-out to its place on a canvas.

    Args:
        picture: uint8 RGBA (height, width, 4), alpha not premultiplied.
        box: The object's box in it; what is outside, such as a shadow, is kept.
        canvas: How it is laid.

    Returns:
        uint8 RGBA of the canvas' size. At a scale of 1, pixels in the box are as they were.
    """
    left = (canvas.width - box.width * canvas.scale) / 2 - box.left * canvas.scale
    top = canvas.height - box.height * canvas.scale
    top = (top / 2 if canvas.align == "centre" else top - canvas.margin) - box.top * canvas.scale
    if canvas.scale == 1:
        left, top = round(left), round(top)
    place = Box(
        round(left + box.left * canvas.scale),
        round(top + box.top * canvas.scale),
        round(box.width * canvas.scale),
        round(box.height * canvas.scale),
    )
    return _fade_to_border(_moved(picture, left, top, canvas), place)


def lay_file_on_canvas(
    cut_out: bytes, box: Box, canvas: Canvas, backdrop: Backdrop | None
) -> np.ndarray:
    """Lay a cut-out, the content of its PNG file, on a canvas with or without a backdrop.

    Returns:
        uint8 RGB (height, width, 3) on a backdrop, else RGBA.
    """
    stored = cv2.imdecode(np.frombuffer(cut_out, np.uint8), cv2.IMREAD_UNCHANGED)
    picture = cv2.cvtColor(np.asarray(stored), cv2.COLOR_BGRA2RGBA)
    picture = lay_on_canvas(picture, box, canvas)
    if backdrop is None:
        return picture
    return composite(picture, backdrop.behind(canvas.height, canvas.width))


def _moved(picture: np.ndarray, left: float, top: float, canvas: Canvas) -> np.ndarray:
    """A cut-out on its place of the canvas."""
    if canvas.scale == 1:
        return _paste(picture, round(left), round(top), canvas)
    # Colours count by their opacity, or those of clear pixels would shine through at edges.
    alpha = picture[..., 3]
    layers = [
        _scaled(picture[..., channel] * (alpha / np.float32(255)), left, top, canvas)
        for channel in range(3)
    ]
    opacity = _scaled(alpha.astype(np.float32), left, top, canvas)
    factor = np.where(opacity > 0.5, 255 / np.maximum(opacity, np.float32(0.5)), 0)
    result = np.stack([*(layer * factor for layer in layers), opacity], axis=-1)
    result = np.rint(np.clip(result, 0, 255)).astype(np.uint8)
    result[result[..., 3] == 0] = 0
    return result


def _fade_to_border(picture: np.ndarray, box: Box) -> np.ndarray:
    """Fade what is outside the object's box, a shadow, before the canvas ends.

    It fades over all the room between the box and the border: over less, its end shows as a line.
    """
    ends = [
        np.minimum(_ramp(length, start), _ramp(length, length - start - size)[::-1])
        for length, start, size in (
            (picture.shape[0], box.top, box.height),
            (picture.shape[1], box.left, box.width),
        )
    ]
    kept = np.minimum(ends[0][:, np.newaxis], ends[1])
    picture[..., 3] = np.rint(picture[..., 3] * kept)
    picture[picture[..., 3] == 0] = 0
    return picture


def _ramp(length: int, room: int) -> np.ndarray:
    """From 0 at the beginning of an axis to 1 at a box that begins after some room."""
    return smooth_step((np.arange(length) + 0.5) / max(0.5, room)).astype(np.float32)


def _scaled(layer: np.ndarray, left: float, top: float, canvas: Canvas) -> np.ndarray:
    """One channel, float32, on its place of the canvas."""
    if canvas.scale > 1:
        matrix = np.array([[canvas.scale, 0, left], [0, canvas.scale, top]])
        # Pixels are squares: the middle of the first is at half a pixel.
        matrix[:, 2] += (canvas.scale - 1) / 2
        return cv2.warpAffine(layer, matrix, (canvas.width, canvas.height), flags=cv2.INTER_CUBIC)
    height, width = layer.shape
    size = max(1, round(width * canvas.scale)), max(1, round(height * canvas.scale))
    smaller = cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
    return _paste(smaller, round(left), round(top), canvas)


def _paste(picture: np.ndarray, left: int, top: int, canvas: Canvas) -> np.ndarray:
    """Copy the part of a picture that is on the canvas; clear elsewhere."""
    result = np.zeros((canvas.height, canvas.width, *picture.shape[2:]), picture.dtype)
    rows, from_rows = _overlap(top, picture.shape[0], canvas.height)
    columns, from_columns = _overlap(left, picture.shape[1], canvas.width)
    result[rows, columns] = picture[from_rows, from_columns]
    return result


def _overlap(start: int, length: int, room: int) -> tuple[slice, slice]:
    """Where along an axis a picture and the canvas overlap: on the canvas, and in the picture."""
    begin, end = max(0, start), max(0, start, min(room, start + length))
    return slice(begin, end), slice(begin - start, end - start)
