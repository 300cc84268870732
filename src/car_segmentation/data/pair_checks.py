"""Check every pair of photo and mask before anything is trained on it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.core.parallel import map_photos
from car_segmentation.core.pixel_budget import shared_pixels
from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from car_segmentation.data.pairing import PAIR_COLUMNS, Pair, rejected_table, split_paths


def first_cars(pairs: pd.DataFrame, max_cars: int | None) -> pd.DataFrame:
    """Keep the pairs of the first ``max_cars`` cars in order of name; all for None."""
    if max_cars is None:
        return pairs
    kept = sorted(pairs["car"].unique())[:max_cars]
    return pairs[pairs["car"].isin(kept)].reset_index(drop=True)


def check_pairs(
    pairs: pd.DataFrame, mask_notes: Mapping[str, Mapping[str, Any]], max_megapixels: float
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Open every photo, compare it with what is known of its mask, and keep the usable pairs.

    Args:
        pairs: Columns `PAIR_COLUMNS`.
        mask_notes: By photo id, the notes of `image_stack.write_resized_masks`.
        max_megapixels: See `photos.photo_size`.

    Returns:
        The usable pairs (columns `PAIR_COLUMNS`, ``height`` and ``width`` in pixels, and
        ``foreground_share``, the fraction that is foreground), the rejected files (columns
        `REJECTED_COLUMNS`), and the formats of the usable photos.
    """
    results = map_photos(
        partial(_check, max_megapixels=max_megapixels),
        ((pair, mask_notes[pair.photo_id]) for pair in _plain(pairs)),
        total=len(pairs),
        description="check photos",
    )
    reasons = [reason for reason, _ in results]
    is_usable = np.array([reason is None for reason in reasons], dtype=bool)
    usable = pairs[is_usable].reset_index(drop=True)
    usable["mask_path"] = [
        mask_notes[pair.photo_id].get("mask_path", pair.mask_path) for pair in _plain(usable)
    ]
    facts = [mask_notes[photo_id] for photo_id in usable["photo_id"]]
    measured = pd.DataFrame(facts, columns=["height", "width", "foreground_share"])
    rejected = [
        (path, reason)
        for path, reason in zip(pairs["photo_path"], reasons, strict=True)
        if reason is not None
    ]
    formats = [kind for reason, kind in results if reason is None]
    return pd.concat([usable, measured], axis="columns"), rejected_table(rejected), formats


def _check(item: tuple[Pair, Mapping[str, Any]], max_megapixels: float) -> tuple[str | None, str]:
    """Why a pair cannot be used, or None if it can; and the photo's format."""
    pair, mask = item
    try:
        photo = open_image(Path(pair.photo_path), Limits(max_megapixels))
        with shared_pixels(photo.header.width * photo.header.height):
            return _reason_against(pair, photo.check(), mask), photo.format
    except UnusableImage as problem:
        return str(problem), ""


def _reason_against(pair: Pair, size: tuple[int, int], mask: Mapping[str, Any]) -> str | None:
    """Why a pair cannot be used, or None if it can."""
    height, width = size
    mask_name = ", ".join(path.name for path in split_paths(pair.mask_path))
    if "problem" in mask:
        return f"its mask {mask_name} {mask['problem']}"
    if (mask["height"], mask["width"]) != (height, width):
        turned = (mask["height"], mask["width"]) == (width, height)
        return (
            f"is {width}×{height} pixels, but its mask {mask_name} is "
            f"{mask['width']}×{mask['height']}"
            + (": is one of them upright only by its EXIF orientation?" if turned else "")
        )
    if mask["foreground_share"] == 0:
        return f"its mask {mask_name} is empty"
    return None


def _plain(pairs: pd.DataFrame) -> list[Pair]:
    """The rows of a table of pairs, in a form that travels to other processes."""
    return [Pair(*row) for row in pairs[PAIR_COLUMNS].itertuples(index=False)]
