"""Image stacks: many images of one size in one memory-mapped array on disk.

A stack is a folder with ``pixels.npy`` (images along the first axis) and ``index.json`` (the photo
id of each, and notes on it). Reading one costs no memory beyond the pages that are touched, writing
one costs no memory beyond the images in flight.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_folder, write_at
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.image_files import Limits, UnusableImage
from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.data.masks import decode_mask

Note = Mapping[str, Any]


@dataclass(frozen=True)
class ImageStack:
    """Images of one size, read from disk as they are touched.

    Attributes:
        ids: The photo id of each image.
        pixels: The images along the first axis, memory-mapped and read-only.
        notes: What was noted by photo id when the stack was made.
        folder: Where it is on disk; None for one in memory.
    """

    ids: tuple[str, ...]
    pixels: np.ndarray
    notes: Mapping[str, Note] = field(default_factory=dict)
    folder: Path | None = None

    def __reduce__(self) -> Any:
        # A stack travels to another process as its folder, not as its pixels.
        if self.folder is not None:
            return read_stack, (self.folder,)
        return ImageStack, (self.ids, self.pixels, self.notes)

    def image(self, row: int) -> np.ndarray:
        """An image, without what a note on its ``size`` (height, width) says is beyond it."""
        size = self.notes.get(self.ids[row], {}).get("size")
        return self.pixels[row] if size is None else self.pixels[row][: size[0], : size[1]]

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


@dataclass
class StackWriter:
    """Writes the images of a stack, in any order, from any thread or process.

    Attributes:
        pixels_file: Where they go.
        offset: Bytes before the first image.
        image_shape: Shape of one image.
        dtype: Type of its values.
        notes: Notes by photo id, to be added by the process that makes the stack.
    """

    pixels_file: Path
    offset: int
    image_shape: tuple[int, ...]
    dtype: str
    notes: dict[str, Note] = field(default_factory=dict)

    def write(self, row: int, image: np.ndarray) -> None:
        """Write an image to its row."""
        image = np.ascontiguousarray(image, dtype=self.dtype)
        if image.shape != self.image_shape:
            raise ValueError(f"image {row} has shape {image.shape}, not {self.image_shape}")
        write_at(self.pixels_file, self.offset + row * image.nbytes, image.data)


@contextmanager
def new_stack(
    folder: Path, ids: Sequence[str], image_shape: tuple[int, ...], dtype: str
) -> Iterator[StackWriter]:
    """Yield the writer of a stack that takes the place of ``folder`` when the block ends well.

    Args:
        folder: Where to.
        ids: The photo id of each image.
        image_shape: Shape of one image.
        dtype: Type of its values; an image that is not written is 0.
    """
    with atomic_folder(folder) as part:
        pixels_file = part / "pixels.npy"
        # Written through the file, not through the map, whose dirty pages would count as memory.
        offset = np.lib.format.open_memmap(
            pixels_file, mode="w+", dtype=np.dtype(dtype), shape=(len(ids), *image_shape)
        ).offset
        writer = StackWriter(pixels_file, offset, image_shape, dtype)
        yield writer
        index = {"ids": list(ids), "notes": writer.notes}
        (part / "index.json").write_text(json.dumps(index))


def write_resized_photos(
    folder: Path, ids: Sequence[str], paths: Sequence[str], height: int, width: int
) -> ImageStack:
    """Make a stack of photos, uint8 (height, width, 3), resized by averaging over areas.

    Raises:
        UserError: If a photo cannot be read any more.
    """

    def resize(item: tuple[int, str]) -> None:
        row, path = item
        try:
            photo = read_photo(Path(path))
        except UnusableImage as problem:
            raise UserError(
                f"{path} {problem}, though it was checked before: has it changed since? "
                "Run `kedro run --pipelines=data_processing` again."
            ) from problem
        writer.write(row, resize_by_area(photo, height, width))

    with new_stack(folder, ids, (height, width, 3), "uint8") as writer:
        map_photos(resize, enumerate(paths), len(paths), "resize photos")
    return read_stack(folder)


def write_resized_masks(
    folder: Path,
    ids: Sequence[str],
    paths: Sequence[str],
    height: int,
    width: int,
    max_megapixels: float,
    max_grey_share: float,
) -> ImageStack:
    """Make a stack of soft masks, uint8 (height, width): how much of each pixel is car, 0 to 255.

    The note on each is its native ``height`` and ``width`` in pixels, its ``foreground_share``,
    0 to 1, and the ``border_share``, that of the outermost pixels; or, for a mask that cannot be
    used, the ``problem``: its image is left empty.
    """

    def resize(item: tuple[int, str]) -> Note:
        row, path = item
        try:
            mask = decode_mask(
                Path(path), limits=Limits(max_megapixels), max_grey=max_grey_share
            ).foreground
        except UnusableImage as problem:
            return {"problem": str(problem)}
        writer.write(row, resize_by_area(mask.view(np.uint8) * np.uint8(255), height, width))
        return {
            "height": mask.shape[0],
            "width": mask.shape[1],
            "foreground_share": np.count_nonzero(mask) / mask.size,
            "border_share": _border_share(mask),
        }

    with new_stack(folder, ids, (height, width), "uint8") as writer:
        notes = map_photos(resize, enumerate(paths), len(paths), "check and resize masks")
        writer.notes |= dict(zip(ids, notes, strict=True))
    return read_stack(folder)


def _border_share(mask: np.ndarray) -> float:
    """Share of the outermost pixels of a mask, bool (height, width), that are True."""
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return float(np.count_nonzero(border) / border.size)


def read_stack(folder: Path) -> ImageStack:
    """Open a stack that `new_stack` made, without reading its pixels."""
    index = json.loads((folder / "index.json").read_text())
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    return ImageStack(tuple(index["ids"]), pixels, index["notes"], folder)
