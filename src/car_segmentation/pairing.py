"""Pair photos with masks by name, and check every pair before anything is trained on it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from car_segmentation.parallel import map_in_threads
from car_segmentation.photos import (
    MASK_SUFFIXES,
    PHOTO_SUFFIXES,
    UnusableImage,
    photo_size,
    read_mask,
)

PAIR_COLUMNS = ["photo_id", "car", "view", "photo_path", "mask_path"]
CHECKED_COLUMNS = [*PAIR_COLUMNS, "height", "width", "foreground_share"]
REJECTED_COLUMNS = ["path", "reason"]


def pair_by_name(
    photo_files: Sequence[Path], mask_files: Sequence[Path], name_pattern: str, mask_suffix: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair each photo with the mask of the same name.

    The photo's id is its name without the extension; the mask's is the same plus
    ``mask_suffix``. Letter case matters in the name and not in the extension.

    Args:
        photo_files: Files of the photo folder.
        mask_files: Files of the mask folder.
        name_pattern: Regular expression with groups ``car`` and ``view`` over the photo's id.
            Without a match the photo is a car (a group) of its own.
        mask_suffix: What a mask's name has after the photo's id.

    Returns:
        The pairs (columns `PAIR_COLUMNS`, in order of photo id) and the rejected files
        (columns `REJECTED_COLUMNS`).
    """
    photos, rejected_photos = files_by_id(photo_files, PHOTO_SUFFIXES)
    masks, rejected_masks = files_by_id(mask_files, MASK_SUFFIXES, suffix=mask_suffix)
    rejected = [
        *rejected_photos,
        *rejected_masks,
        *((path, "has no mask") for name, path in photos.items() if name not in masks),
        *((path, "has no photo") for name, path in masks.items() if name not in photos),
    ]
    pairs = [
        (name, *_car_and_view(name, name_pattern), str(photos[name]), str(masks[name]))
        for name in sorted(photos.keys() & masks.keys())
    ]
    return pd.DataFrame(pairs, columns=PAIR_COLUMNS), _rejected_table(rejected)


def files_by_id(
    files: Iterable[Path], suffixes: frozenset[str], suffix: str = ""
) -> tuple[dict[str, Path], list[tuple[Path, str]]]:
    """Give each file its photo id: its name without the extension and without ``suffix``.

    Args:
        files: Files of a folder.
        suffixes: Extensions that are read, in lower case.
        suffix: What every name must end in, before the extension.

    Returns:
        Files by photo id, and those that cannot belong to one photo, with the reason.
    """
    by_id: dict[str, list[Path]] = {}
    rejected = []
    for path in files:
        # Some file systems store é as two code points, others as one.
        name = unicodedata.normalize("NFC", path.stem)
        if path.suffix.lower() not in suffixes:
            rejected.append((path, f"has an extension that is not read: '{path.suffix}'"))
        elif not name.endswith(suffix):
            rejected.append((path, f"has a name that does not end in '{suffix}'"))
        else:
            by_id.setdefault(name.removesuffix(suffix), []).append(path)
    unique = {}
    for name, paths in by_id.items():
        if len(paths) == 1:
            unique[name] = paths[0]
        else:
            same = ", ".join(path.name for path in paths)
            rejected += [(path, f"has the same id as another file ({same})") for path in paths]
    return unique, rejected


def first_cars(pairs: pd.DataFrame, max_cars: int | None) -> pd.DataFrame:
    """Keep the pairs of the first ``max_cars`` cars in order of name; all for None."""
    if max_cars is None:
        return pairs
    kept = sorted(pairs["car"].unique())[:max_cars]
    return pairs[pairs["car"].isin(kept)].reset_index(drop=True)


def check_pairs(
    pairs: pd.DataFrame, max_megapixels: float, max_grey_share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open every photo and mask, and keep the pairs that can be used.

    Args:
        pairs: Columns `PAIR_COLUMNS`.
        max_megapixels: See `photos.photo_size`.
        max_grey_share: See `photos.read_mask`.

    Returns:
        The usable pairs (columns `CHECKED_COLUMNS`; sizes in pixels, share 0 to 1) and the
        rejected files (columns `REJECTED_COLUMNS`).
    """
    check = partial(_check_pair, max_megapixels=max_megapixels, max_grey_share=max_grey_share)
    results = map_in_threads(
        check,
        zip(pairs["photo_path"], pairs["mask_path"], strict=True),
        total=len(pairs),
        description="check photos and masks",
    )
    facts = [fact for fact, _ in results]
    rejected = [problem for _, problem in results if problem is not None]
    usable = [fact is not None for fact in facts]
    checked = pairs[usable].reset_index(drop=True)
    measured = pd.DataFrame(
        [fact for fact in facts if fact is not None],
        columns=["height", "width", "foreground_share"],
    )
    return pd.concat([checked, measured], axis="columns"), _rejected_table(rejected)


def _car_and_view(photo_id: str, name_pattern: str) -> tuple[str, str]:
    match = re.search(name_pattern, photo_id)
    if match is None:
        return photo_id, ""
    return match["car"], match.groupdict().get("view") or ""


def _check_pair(
    paths: tuple[str, str], max_megapixels: float, max_grey_share: float
) -> tuple[tuple[int, int, float] | None, tuple[str, str] | None]:
    """Measure a pair: its facts and no problem, or no facts and the file with the problem."""
    photo_path, mask_path = paths
    try:
        height, width = photo_size(Path(photo_path), max_megapixels)
    except UnusableImage as problem:
        return None, (photo_path, str(problem))
    try:
        mask = read_mask(Path(mask_path), max_megapixels, max_grey_share)
    except UnusableImage as problem:
        return None, (photo_path, f"its mask {Path(mask_path).name} {problem}")
    if mask.shape != (height, width):
        reason = (
            f"is {width}×{height} pixels, but its mask {Path(mask_path).name} is "
            f"{mask.shape[1]}×{mask.shape[0]}"
        )
        return None, (photo_path, reason)
    if not mask.any():
        return None, (photo_path, f"its mask {Path(mask_path).name} is empty")
    return (height, width, np.count_nonzero(mask) / mask.size), None


def _rejected_table(rejected: Iterable[tuple[Path | str, str]]) -> pd.DataFrame:
    rows = sorted((str(path), reason) for path, reason in rejected)
    return pd.DataFrame(rows, columns=REJECTED_COLUMNS)
