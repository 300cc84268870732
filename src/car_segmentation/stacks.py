"""Image stacks: many images of one size in one memory-mapped array on disk.

A stack is a folder with ``pixels.npy`` (images along the first axis) and ``ids.json`` (the photo
id of each). Reading one costs no memory beyond the pages that are touched, writing one costs no
memory beyond the images in flight.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from car_segmentation.errors import UserError
from car_segmentation.files import atomic_folder
from car_segmentation.parallel import map_in_threads
from car_segmentation.photos import UnusableImage, read_mask, read_photo, resize_by_area

WriteImage = Callable[[int, np.ndarray], None]


@dataclass(frozen=True)
class ImageStack:
    """Images of one size, read from disk as they are touched.

    Attributes:
        ids: The photo id of each image.
        pixels: The images along the first axis, memory-mapped and read-only.
    """

    ids: tuple[str, ...]
    pixels: np.ndarray

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
            in any order, from any thread.
    """

    ids: tuple[str, ...]
    image_shape: tuple[int, ...]
    dtype: str
    fill: Callable[[WriteImage], None]


def resized_photos(
    ids: Sequence[str], paths: Sequence[str], height: int, width: int
) -> PendingStack:
    """A stack of photos, uint8 (height, width, 3), resized by averaging over areas."""
    return _mapped_stack(ids, paths, (height, width, 3), _resize_photo, "resize photos")


def resized_masks(
    ids: Sequence[str], paths: Sequence[str], height: int, width: int
) -> PendingStack:
    """A stack of soft masks, uint8 (height, width): the share of car in each pixel, 0 to 255."""
    return _mapped_stack(ids, paths, (height, width), _resize_mask, "resize masks")


def write_stack(folder: Path, stack: PendingStack) -> None:
    """Compute a pending stack into ``folder``, replacing what is there in one step."""
    with atomic_folder(folder) as part:
        pixels_file = part / "pixels.npy"
        shape = (len(stack.ids), *stack.image_shape)
        # Written through the file, not through the map, whose dirty pages would count as memory.
        offset = np.lib.format.open_memmap(
            pixels_file, mode="w+", dtype=np.dtype(stack.dtype), shape=shape
        ).offset

        def write_image(row: int, image: np.ndarray) -> None:
            image = np.ascontiguousarray(image, dtype=stack.dtype)
            if image.shape != stack.image_shape:
                raise ValueError(f"image {row} has shape {image.shape}, not {stack.image_shape}")
            with pixels_file.open("r+b") as file:
                file.seek(offset + row * image.nbytes)
                file.write(image.data)

        stack.fill(write_image)
        (part / "ids.json").write_text(json.dumps(stack.ids))


def read_stack(folder: Path) -> ImageStack:
    """Open a stack that `write_stack` wrote, without reading its pixels."""
    ids = tuple(json.loads((folder / "ids.json").read_text()))
    return ImageStack(ids, np.load(folder / "pixels.npy", mmap_mode="r"))


def _mapped_stack(
    ids: Sequence[str],
    paths: Sequence[str],
    image_shape: tuple[int, ...],
    read_resized: Callable[[Path, int, int], np.ndarray],
    description: str,
) -> PendingStack:
    """A stack of uint8 images, each read from its own file."""

    def fill(write_image: WriteImage) -> None:
        def read_and_write(item: tuple[int, str]) -> None:
            row, path = item
            try:
                image = read_resized(Path(path), *image_shape[:2])
            except UnusableImage as problem:
                raise UserError(
                    f"{path} {problem}, though it was checked before: has it changed since? "
                    "Run `kedro run --pipelines=data_processing` again."
                ) from problem
            write_image(row, image)

        map_in_threads(read_and_write, enumerate(paths), len(paths), description)

    return PendingStack(tuple(ids), image_shape, "uint8", fill)


def _resize_photo(path: Path, height: int, width: int) -> np.ndarray:
    return resize_by_area(read_photo(path), height, width)


def _resize_mask(path: Path, height: int, width: int) -> np.ndarray:
    mask = read_mask(path).view(np.uint8) * np.uint8(255)
    return resize_by_area(mask, height, width)
