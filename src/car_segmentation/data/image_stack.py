"""Image stacks: many images of one size in one memory-mapped array on disk.

A stack is a folder with ``pixels.npy`` (images along the first axis) and ``index.json`` (the photo
id of each, notes on it, and a checksum of its pixels). Reading one costs no memory beyond the pages
that are touched, writing one costs no memory beyond the images in flight.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_folder, flush_to_disk, write_at

Note = Mapping[str, Any]

VERIFIED_BYTES = 64_000_000
"""How much of a stack is compared with its checksums when it is opened; of a larger one, images
spread evenly over it."""


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
            return _open_stack, (self.folder,)  # Verified where it was read first.
        return ImageStack, (self.ids, self.pixels, self.notes)

    @property
    def usable_ids(self) -> list[str]:
        """The ids of photos without a ``problem`` in their notes."""
        return [name for name in self.ids if "problem" not in self.notes.get(name, {})]

    def image(self, row: int) -> np.ndarray:
        """An image, cropped to the ``size`` (height, width) in its note, if there is one."""
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
        ids: The photo id of each image.
        pixels_file: Where they go.
        offset: Bytes before the first image.
        image_shape: Shape of one image.
        dtype: Type of its values.
        notes: Notes by photo id, to be added by the process that makes the stack.
        checksums: What `write` returned, by row, likewise; others are computed from the file.
    """

    ids: Sequence[str]
    pixels_file: Path
    offset: int
    image_shape: tuple[int, ...]
    dtype: str
    notes: dict[str, Note] = field(default_factory=dict)
    checksums: dict[int, int] = field(default_factory=dict)

    def write(self, row: int, image: np.ndarray) -> int:
        """Write an image to its row, and return the checksum (CRC-32) of its bytes."""
        image = np.ascontiguousarray(image, dtype=self.dtype)
        if image.shape != self.image_shape:
            raise ValueError(f"image {row} has shape {image.shape}, not {self.image_shape}")
        write_at(self.pixels_file, self.offset + row * image.nbytes, image.data)
        return zlib.crc32(image.data)

    def take_notes(self, notes: Sequence[dict[str, Any]]) -> None:
        """Add a note on each image, in their order; its ``crc32`` is what `write` returned."""
        for row, note in enumerate(notes):
            if "crc32" in note:
                self.checksums[row] = note.pop("crc32")
        self.notes |= dict(zip(self.ids, notes, strict=True))


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
        writer = StackWriter(ids, pixels_file, offset, image_shape, dtype)
        yield writer
        # Not flushed, which took a tenth of the time: what a power cut takes, checksums show.
        image_bytes = math.prod(image_shape) * np.dtype(dtype).itemsize
        others = [row for row in range(len(ids)) if row not in writer.checksums]
        found = _checksums(pixels_file, offset, image_bytes, others) | writer.checksums
        index = {
            "ids": list(ids),
            "notes": writer.notes,
            "crc32": [_with_id(found[row], photo_id) for row, photo_id in enumerate(ids)],
        }
        (part / "index.json").write_text(json.dumps(index))
        flush_to_disk(part / "index.json")


def object_plane(soft_mask: np.ndarray) -> np.ndarray:
    """Fraction of car in each pixel, without the plane of ignored pixels; (height, width)."""
    return soft_mask[..., 0] if soft_mask.ndim == 3 else soft_mask


def read_stack(folder: Path) -> ImageStack:
    """Open a stack that `new_stack` made, and compare some of its pixels with their checksums.

    Raises:
        UserError: If one of its two files is missing or damaged, or they do not belong together.
    """
    stack = _open_stack(folder)
    checksums = _read_index(folder)["crc32"]
    if checksums is None or not len(stack.ids):  # Made before there were any.
        return stack
    # Not through the map, whose pages would count as this process's memory.
    pixels: Any = stack.pixels
    images = max(1, min(len(stack.ids), VERIFIED_BYTES // max(1, pixels[0].nbytes)))
    rows = np.linspace(0, len(stack.ids) - 1, images, dtype=int).tolist()
    found = _checksums(folder / "pixels.npy", pixels.offset, pixels[0].nbytes, rows)
    for row, checksum in found.items():
        if _with_id(checksum, stack.ids[row]) != checksums[row]:
            raise _damaged(
                folder / "pixels.npy",
                f"its image {row} is not the one of {stack.ids[row]} that index.json lists",
            )
    return stack


def _open_stack(folder: Path) -> ImageStack:
    index, file = _read_index(folder), folder / "pixels.npy"
    try:
        pixels = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(file, str(error).splitlines()[0]) from None
    if pixels.ndim < 3 or len(pixels) != len(index["ids"]):
        problem = f"it lists {len(index['ids'])} images, and pixels.npy has {len(pixels)}"
        raise _damaged(folder / "index.json", problem)
    return ImageStack(tuple(index["ids"]), pixels, index["notes"], folder)


class _Index(TypedDict):
    ids: list[str]
    notes: dict[str, Note]
    crc32: list[int] | None


def _read_index(folder: Path) -> _Index:
    path = folder / "index.json"
    try:
        index = json.loads(path.read_bytes())
        ids, notes, checksums = index["ids"], index["notes"], index.get("crc32")
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _damaged(path, "it is not a list of images") from None
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise _damaged(path, "its ids are not all text")
    if len(set(ids)) != len(ids):
        raise _damaged(path, "it lists an image twice")
    if not isinstance(notes, dict) or not all(isinstance(note, dict) for note in notes.values()):
        raise _damaged(path, "its notes are not notes on images")
    if checksums is not None and not (isinstance(checksums, list) and len(checksums) == len(ids)):
        raise _damaged(path, "it has not one checksum for each image")
    return {"ids": ids, "notes": notes, "crc32": checksums}


def _checksums(file: Path, offset: int, size: int, rows: Sequence[int]) -> dict[int, int]:
    """CRC-32 of the bytes of images, by row."""
    found = {}
    with file.open("rb") as stream:
        for row in rows:
            stream.seek(offset + row * size)
            found[row] = zlib.crc32(stream.read(size))
    return found


def _with_id(checksum: int, photo_id: str) -> int:
    """A checksum of an image that tells whether it is this photo's, too."""
    return zlib.crc32(photo_id.encode(errors="surrogateescape"), checksum)


def _damaged(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} is damaged ({problem}). Delete {path.parent}, and run the pipeline that makes it "
        "again: `kedro run --pipelines=data_processing`, or reporting for probabilities."
    )
