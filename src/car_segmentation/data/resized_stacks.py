"""Photos and masks, checked and resized into image stacks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from car_segmentation.core.files import atomic_folder
from car_segmentation.core.parallel import map_photos
from car_segmentation.core.pixel_budget import shared_pixels
from car_segmentation.data.image_files import NO_PIXEL_LIMIT, Limits, UnusableImage, open_image
from car_segmentation.data.image_stack import ImageStack, new_stack, read_stack
from car_segmentation.data.images import resize_by_area
from car_segmentation.data.masks import PLAIN_RULES, MaskRules, encode_mask, unite
from car_segmentation.data.pairing import split_paths

HALF_COVERED = 127
"""A soft mask's level from which the car covers more than half of the pixel."""


def write_resized_photos(
    folder: Path,
    ids: Sequence[str],
    paths: Sequence[str],
    height: int,
    width: int,
    limits: Limits = NO_PIXEL_LIMIT,
    reasons_against: Sequence[Callable[[int, int], str | None]] | None = None,
) -> ImageStack:
    """Make a stack of photos, uint8 (height, width, 3), resized by averaging over areas.

    The note on each is its native ``height`` and ``width`` in pixels and its ``format``; or, for a
    photo that cannot be used, the ``problem``: its image is left empty.

    Args:
        folder: Where the stack goes.
        ids: Photo ids.
        paths: The photos.
        height: Pixels that the network sees.
        width: The same.
        limits: Larger photos are refused before they are decoded.
        reasons_against: For each photo, what says by its native height and width why it cannot be
            used, or None if it can. None: all can.
    """

    def resize(item: tuple[int, str, Callable[[int, int], str | None]]) -> dict[str, Any]:
        row, path, reason_against = item
        try:
            photo = open_image(Path(path), limits)
            with shared_pixels(photo.pixel_count):
                pixels = photo.rgb()
                native = pixels.shape[:2]
                problem = reason_against(*native)
                if problem is not None:
                    return {"problem": problem}
                checksum = writer.write(row, resize_by_area(pixels, height, width))
        except UnusableImage as error:
            return {"problem": str(error)}
        return {
            "crc32": checksum,
            "height": native[0],
            "width": native[1],
            "format": photo.format,
        }

    items = zip(range(len(ids)), paths, reasons_against or [_nothing] * len(ids), strict=True)
    with new_stack(folder, ids, (height, width, 3), "uint8") as writer:
        writer.take_notes(map_photos(resize, items, len(ids), "check and resize photos"))
    return read_stack(folder)


def write_resized_masks(
    folder: Path,
    ids: Sequence[str],
    paths: Sequence[str],
    height: int,
    width: int,
    rules: MaskRules = PLAIN_RULES,
    own_masks: Path | None = None,
) -> ImageStack:
    """Make a stack of soft masks, uint8 (height, width): how much of each pixel is car, 0 to 255.

    If rules may leave pixels out (``keeps_ignored``), a mask is (height, width, 2): how much of
    what is known of a pixel is car, and how much of the pixel is not known.

    A mask that is read otherwise than as its file shows it, or from several files, is also written
    into ``own_masks`` at its native size, so that all that follows reads the same.

    The note on each is its native ``height`` and ``width`` in pixels, its ``foreground_share``,
    0 to 1, the ``border_share``, that of the outermost pixels, and the ``values`` and the
    ``object_value`` that it was read from; where they apply, its ``ignored_share``, its
    ``mask_path`` and its ``thickness`` (pixels), if the network sees less than half of it; or, for
    a mask that cannot be used, the ``problem``: its image is left empty.

    Args:
        folder: Where the stack goes.
        ids: Photo ids.
        paths: The masks of each photo, as `pairing.join_paths` writes them.
        height: Pixels that the network sees.
        width: The same.
        rules: How masks are read.
        own_masks: Where masks are written; what was there is gone. None: beside the stack.
    """

    def resize(item: tuple[int, str, str]) -> dict[str, Any]:
        row, photo_id, cell = item
        files, limits = split_paths(cell), Limits(rules.max_megapixels)
        try:
            with shared_pixels(sum(open_image(file, limits).pixel_count for file in files)):
                return resize_one(row, photo_id, files)
        except UnusableImage as problem:
            return {"problem": str(problem)}

    def resize_one(row: int, photo_id: str, files: Sequence[Path]) -> dict[str, Any]:
        masks = [rules.read(file) for file in files]
        mask = unite(masks) if len(masks) > 1 else masks[0]
        soft = resize_by_area(mask.foreground.view(np.uint8) * np.uint8(255), height, width)
        kept = _with_ignored(soft, mask.ignored, height, width) if rules.keeps_ignored else soft
        note: dict[str, Any] = {
            "crc32": writer.write(row, kept),
            "height": mask.foreground.shape[0],
            "width": mask.foreground.shape[1],
            "foreground_share": np.count_nonzero(mask.foreground) / mask.foreground.size,
            "border_share": _border_share(mask.foreground),
            "values": mask.values,
            "object_value": mask.object_value,
            **_what_vanishes(mask.foreground, soft),
        }
        if mask.ignored is not None:
            note["ignored_share"] = np.count_nonzero(mask.ignored) / mask.ignored.size
        if len(files) > 1 or not rules.reading.is_plain:
            (part / f"{photo_id}.png").write_bytes(encode_mask(mask))
            note["mask_path"] = str(native / f"{photo_id}.png")
        return note

    native = own_masks or folder.with_name(f"{folder.name}_native")
    with (
        atomic_folder(native) as part,
        new_stack(folder, ids, (height, width, 2)[: 2 + rules.keeps_ignored], "uint8") as writer,
    ):
        items = zip(range(len(ids)), ids, paths, strict=True)
        notes = map_photos(resize, items, len(paths), "check and resize masks")
        writer.take_notes(notes)
    return read_stack(folder)


def _nothing(height: int, width: int) -> None:
    """There is no reason against a photo of this size."""


def _with_ignored(
    soft: np.ndarray, ignored: np.ndarray | None, height: int, width: int
) -> np.ndarray:
    """A soft mask with a second plane: how much of each pixel is ignored, 0 to 255."""
    if ignored is None:
        return np.dstack([soft, np.zeros_like(soft)])
    unknown = resize_by_area(ignored.view(np.uint8) * np.uint8(255), height, width)
    known = np.maximum(255 - unknown.astype(np.float32), 1)
    of_known = np.minimum(np.rint(soft * (255 / known)), 255).astype(np.uint8)
    return np.dstack([of_known, unknown])


def _what_vanishes(mask: np.ndarray, soft: np.ndarray) -> dict[str, float]:
    """The greatest thickness of a mask, if most of it covers no more than half of any pixel."""
    _, seen = cv2.threshold(soft, HALF_COVERED, 255, cv2.THRESH_TOZERO)
    if cv2.sumElems(seen)[0] >= cv2.sumElems(soft)[0] / 2:
        return {}
    depth = cv2.distanceTransform(np.pad(mask.view(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_5)
    return {"thickness": 2 * float(depth.max())}


def _border_share(mask: np.ndarray) -> float:
    """Fraction of the outermost pixels of a mask, bool (height, width), that are True."""
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())
