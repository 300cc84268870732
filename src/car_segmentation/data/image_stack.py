"""Image stacks: many images of one size in one memory-mapped array on disk.

A stack is a folder with ``pixels.npy`` (images along the first axis) and ``index.json`` (the photo
id of each, and notes on it). Reading one costs no memory beyond the pages that are touched, writing
one costs no memory beyond the images in flight.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_folder, write_at
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.images import UnusableImage, read_mask, read_photo, resize_by_area

WriteImage = Callable[[int, np.ndarray], None]
Note = Mapping[str, Any]


@dataclass(frozen=True)
class ImageStack:
    """Images of one size, read from disk as they are touched.

    Attributes:
        ids: The photo id of each image.
        pixels: The images along the first axis, memory-mapped and read-only.
        notes: What was noted by photo id when the stack was made.
    """

    ids: tuple[str, ...]
    pixels: np.ndarray
    notes: Mapping[str, Note] = field(default_factory=dict)

    def __reduce__(self) -> Any:
        # A stack travels to another process as its folder, not as its pixels.
        if isinstance(self.pixels, np.memmap) and self.pixels.filename:
            return read_stack, (Path(self.pixels.filename).parent,)
        return ImageStack, (self.ids, self.pixels, self.notes)

    def rows_of(self, photo_ids: Sequence[str]) -> np.ndarray:
        """Positions of the given photos in the stack.

        Raises:
            UserError: If the stack lacks one of them, because it was made from other photos.
        """
        position = {photo_id: row for row, photo_id in enumerate(self.ids)}
        missing = [photo_id for photo_id in photo_ids if photo_id not in position]
        if missing:
            raise UserError(
                f"{len(missing)} photos of the photo table, {missing[0]} the first, are not among "
                f"the resized ones. Run `kedro run --pipelines=data_processing` again."
            )
        return np.array([position[photo_id] for photo_id in photo_ids], dtype=np.intp)


@dataclass(frozen=True)
class PendingStack:
    """A stack that is still to be computed, image by image, straight to disk.

    Attributes:
        ids: The photo id of each image.
        image_shape: Shape of one image.
        dtype: Type of its values.
        fill: Computes every image and hands it, with its row, to the function it is given;
            in any order, from any thread or process. Returns notes by photo id.
    """

    ids: tuple[str, ...]
    image_shape: tuple[int, ...]
    dtype: str
    fill: Callable[[WriteImage], Mapping[str, Note]]


def resized_photos(
    ids: Sequence[str], paths: Sequence[str], height: int, width: int
) -> PendingStack:
    """A stack of photos, uint8 (height, width, 3), resized by averaging over areas."""

    def read_and_write(row: int, path: str, write_image: WriteImage) -> None:
        try:
            photo = read_photo(Path(path))
        except UnusableImage as problem:
            raise UserError(
                f"{path} {problem}, though it was checked before: has it changed since? "
                "Run `kedro run --pipelines=data_processing` again."
            ) from problem
        write_image(row, resize_by_area(photo, height, width))

    def fill(write_image: WriteImage) -> Mapping[str, Note]:
        map_photos(
            lambda item: read_and_write(*item, write_image),
            enumerate(paths),
            total=len(paths),
            description="resize photos",
        )
        return {}

    return PendingStack(tuple(ids), (height, width, 3), "uint8", fill)


def resized_masks(
    ids: Sequence[str],
    paths: Sequence[str],
    height: int,
    width: int,
    max_megapixels: float,
    max_grey_share: float,
) -> PendingStack:
    """A stack of soft masks, uint8 (height, width): the share of car in each pixel, 0 to 255.

    The note on each is its native ``height`` and ``width`` in pixels, its ``foreground_share``,
    0 to 1, and the ``border_share``, that of the outermost pixels; or, for a mask that cannot be
    used, the ``problem``: its image is left empty.
    """

    def read_and_write(row: int, path: str, write_image: WriteImage) -> Note:
        try:
            mask = read_mask(Path(path), max_megapixels, max_grey_share)
        except UnusableImage as problem:
            return {"problem": str(problem)}
        soft = resize_by_area(mask.view(np.uint8) * np.uint8(255), height, width)
        write_image(row, soft)
        return {
            "height": mask.shape[0],
            "width": mask.shape[1],
            "foreground_share": np.count_nonzero(mask) / mask.size,
            "border_share": _border_share(mask),
        }

    def fill(write_image: WriteImage) -> Mapping[str, Note]:
        notes = map_photos(
            lambda item: read_and_write(*item, write_image),
            enumerate(paths),
            total=len(paths),
            description="check and resize masks",
        )
        return dict(zip(ids, notes, strict=True))

    return PendingStack(tuple(ids), (height, width), "uint8", fill)


def _border_share(mask: np.ndarray) -> float:
    """Share of the outermost pixels of a mask, bool (height, width), that are True."""
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return float(np.count_nonzero(border) / border.size)


def write_stack(folder: Path, stack: PendingStack) -> None:
    """Compute a pending stack into ``folder``, replacing what is there in one step."""
    with atomic_folder(folder) as part:
        pixels_file = part / "pixels.npy"
        shape = (len(stack.ids), *stack.image_shape)
        # Written through the file, not through the map, whose dirty pages would count as memory.
        offset = np.lib.format.open_memmap(
            pixels_file, mode="w+", dtype=np.dtype(stack.dtype), shape=shape
        ).offset
        write_image = partial(_write_image, pixels_file, offset, stack.image_shape, stack.dtype)
        notes = stack.fill(write_image)
        index = {"ids": stack.ids, "notes": notes}
        (part / "index.json").write_text(json.dumps(index))


def _write_image(
    pixels_file: Path,
    offset: int,
    shape: tuple[int, ...],
    dtype: str,
    row: int,
    image: np.ndarray,
) -> None:
    image = np.ascontiguousarray(image, dtype=dtype)
    if image.shape != shape:
        raise ValueError(f"image {row} has shape {image.shape}, not {shape}")
    write_at(pixels_file, offset + row * image.nbytes, image.data)


def read_stack(folder: Path) -> ImageStack:
    """Open a stack that `write_stack` wrote, without reading its pixels."""
    index = json.loads((folder / "index.json").read_text())
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    return ImageStack(tuple(index["ids"]), pixels, index["notes"])
