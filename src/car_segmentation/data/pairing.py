"""Pair photos with masks by name, and check every pair before anything is trained on it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from car_segmentation.core.parallel import map_photos
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.images import MASK_SUFFIXES, PHOTO_SUFFIXES, photo_size


class Pair(NamedTuple):
    """A photo and its mask."""

    photo_id: str
    car: str
    view: str
    photo_path: str
    mask_path: str


PAIR_COLUMNS = list(Pair._fields)
CHECKED_COLUMNS = [*PAIR_COLUMNS, "height", "width", "foreground_share"]
REJECTED_COLUMNS = ["path", "reason"]


def pair_by_name(
    photo_files: Sequence[Path],
    mask_files: Sequence[Path],
    name_pattern: str | None,
    mask_suffix: str,
    drawn_masks: Mapping[Path, Path] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair each photo with the mask of the same name, or with the one drawn from its annotation.

    The photo's id is its name without the extension; the mask's is the same plus
    ``mask_suffix``. Letter case matters in the name and not in the extension.

    Args:
        photo_files: Files of the photo folder.
        mask_files: Files of the mask folder. Of files in both, those that end in ``mask_suffix``
            are masks.
        name_pattern: Regular expression with group ``car``, and ``view`` if there is one, over the
            photo's id. Without a match, or without a pattern, the photo is a car (a group) of its
            own.
        mask_suffix: What a mask's name has after the photo's id.
        drawn_masks: Masks of annotated photos, which take the place of others; None if there are
            no annotations.

    Returns:
        The pairs (columns `PAIR_COLUMNS`, in order of photo id) and the rejected files
        (columns `REJECTED_COLUMNS`).
    """
    in_both = set(photo_files) & set(mask_files)
    masks_in_both = {path for path in in_both if path.stem.endswith(mask_suffix)}
    photo_files = [path for path in photo_files if path not in masks_in_both]
    mask_files = [path for path in mask_files if path not in in_both - masks_in_both]
    photos, rejected_photos = files_by_id(photo_files, PHOTO_SUFFIXES)
    masks, rejected_masks = files_by_id(mask_files, MASK_SUFFIXES, suffix=mask_suffix)
    bare = "has no mask" if drawn_masks is None else "has neither an annotation nor a mask"
    drawn_masks = drawn_masks or {}
    masks |= {name: drawn_masks[path] for name, path in photos.items() if path in drawn_masks}
    rejected = [
        *rejected_photos,
        *rejected_masks,
        *((path, bare) for name, path in photos.items() if name not in masks),
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
    pairs: pd.DataFrame, mask_notes: Mapping[str, Mapping[str, Any]], max_megapixels: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Open every photo, hold it against what is known of its mask, and keep the usable pairs.

    Args:
        pairs: Columns `PAIR_COLUMNS`.
        mask_notes: By photo id, the notes of `image_stack.write_resized_masks`.
        max_megapixels: See `photos.photo_size`.

    Returns:
        The usable pairs (columns `CHECKED_COLUMNS`; sizes in pixels, share 0 to 1) and the
        rejected files (columns `REJECTED_COLUMNS`).
    """
    reasons = map_photos(
        partial(_reason_against, max_megapixels=max_megapixels),
        ((pair, mask_notes[pair.photo_id]) for pair in _plain(pairs)),
        total=len(pairs),
        description="check photos",
    )
    is_usable = np.array([reason is None for reason in reasons], dtype=bool)
    usable = pairs[is_usable].reset_index(drop=True)
    facts = [mask_notes[photo_id] for photo_id in usable["photo_id"]]
    measured = pd.DataFrame(facts, columns=["height", "width", "foreground_share"])
    rejected = [
        (path, reason)
        for path, reason in zip(pairs["photo_path"], reasons, strict=True)
        if reason is not None
    ]
    return pd.concat([usable, measured], axis="columns"), _rejected_table(rejected)


def unmatched(pairs: pd.DataFrame, name_pattern: str | None) -> list[str]:
    """The photos whose id a pattern does not match, so that each became a car of its own."""
    if name_pattern is None:
        return []
    return [name for name in pairs["photo_id"] if re.search(name_pattern, name) is None]


def _car_and_view(photo_id: str, name_pattern: str | None) -> tuple[str, str]:
    match = None if name_pattern is None else re.search(name_pattern, photo_id)
    if match is None:
        return photo_id, ""
    return match["car"], match.groupdict().get("view") or ""


def _reason_against(item: tuple[Pair, Mapping[str, Any]], max_megapixels: float) -> str | None:
    """Why a pair cannot be used, or None if it can."""
    pair, mask = item
    mask_name = Path(pair.mask_path).name
    try:
        height, width = photo_size(Path(pair.photo_path), max_megapixels)
    except UnusableImage as problem:
        return str(problem)
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


def _rejected_table(rejected: Iterable[tuple[Path | str, str]]) -> pd.DataFrame:
    rows = sorted((str(path), reason) for path, reason in rejected)
    return pd.DataFrame(rows, columns=REJECTED_COLUMNS)
