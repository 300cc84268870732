"""Decide which pairs of photo and mask can be used."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_segmentation.data.pairing import rejected_table, split_paths

Notes = Mapping[str, Mapping[str, Any]]


def first_cars(pairs: pd.DataFrame, max_cars: int | None) -> pd.DataFrame:
    """Keep the pairs of the first ``max_cars`` cars in order of name; all for None."""
    if max_cars is None:
        return pairs
    kept = sorted(pairs["car"].unique())[:max_cars]
    return pairs[pairs["car"].isin(kept)].reset_index(drop=True)


def check_pairs(
    pairs: pd.DataFrame, photo_notes: Notes, mask_notes: Notes
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the usable pairs, and list the others with their reasons.

    Args:
        pairs: Columns `pairing.PAIR_COLUMNS`.
        photo_notes: By photo id, the notes of `resized_stacks.write_resized_photos`, which was
            given `reason_against` of each mask.
        mask_notes: By photo id, the notes of `resized_stacks.write_resized_masks`.

    Returns:
        The usable pairs (columns `PAIR_COLUMNS`, ``height`` and ``width`` in pixels, and
        ``foreground_share``, the fraction that is foreground), and the rejected files (columns
        `REJECTED_COLUMNS`).
    """
    reasons = pairs["photo_id"].map(lambda photo_id: photo_notes[photo_id].get("problem"))
    is_usable = reasons.isna()
    usable = pairs[is_usable].reset_index(drop=True)
    facts = [mask_notes[photo_id] for photo_id in usable["photo_id"]]
    usable["mask_path"] = [
        note.get("mask_path", path) for note, path in zip(facts, usable["mask_path"], strict=True)
    ]
    measured = pd.DataFrame(facts, columns=["height", "width", "foreground_share"])
    rejected = zip(pairs["photo_path"][~is_usable], reasons[~is_usable], strict=True)
    return pd.concat([usable, measured], axis="columns"), rejected_table(rejected)


def reason_against(mask_path: str, mask: Mapping[str, Any], height: int, width: int) -> str | None:
    """Why a photo cannot be used with its mask, or None if it can.

    Args:
        mask_path: The mask's files, as `pairing.join_paths` writes them.
        mask: The note of `resized_stacks.write_resized_masks` on it.
        height: Of the photo, in pixels.
        width: The same.
    """
    mask_name = ", ".join(path.name for path in split_paths(mask_path))
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
