"""Overview of the data, in numbers and pictures, so that mistakes are seen early."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError

SUMMARY_COLUMNS = ["of", "what", "value", "photos"]
LISTED = 6
"""Values of a kind in the table; the others are one row."""
FEW = 64
"""Numbers of classes hardly reach it."""
SEEN_THICKNESS = 2
"""Pixels of the network's input that a part needs to be seen."""
STEP = 32
"""Networks like sizes that are multiples of it."""


def summarise(
    photo_table: pd.DataFrame, formats: Sequence[str], notes: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Summarise the data in a table: formats, sizes and values, and how many photos have each.

    Args:
        photo_table: Columns ``height``, ``width`` (pixels), ``foreground_share`` (0 to 1).
        formats: Of each photo.
        notes: Of each mask: see `resized_stacks.write_resized_masks`.

    Returns:
        Columns `SUMMARY_COLUMNS`.
    """
    sizes = (photo_table["width"].astype(str) + "×" + photo_table["height"].astype(str)).tolist()
    areas = photo_table["foreground_share"].to_numpy()
    bounds = [0, 0.001, 0.01, 0.1, 0.5, 1]
    ranges = [f"{low:.1%} to {high:.1%}" for low, high in pairwise(bounds)]
    positions = np.digitize(areas, bounds[1:-1], right=True)
    rows = [
        *_counted("photos", "format", formats),
        *_counted("photos", "size in pixels", sizes),
        *_counted("masks", "values", [note.get("values") or "drawn" for note in notes]),
        *(
            ("masks", "foreground", ranges[position], number)
            for position, number in sorted(Counter(positions.tolist()).items())
        ),
    ]
    ignored = [note["ignored_share"] for note in notes if "ignored_share" in note]
    if ignored:
        rows.append(("masks", "ignored", f"{np.mean(ignored):.1%} on average", len(ignored)))
    vanishing = sum("thickness" in note for note in notes)
    if vanishing:
        rows.append(("masks", "too thin or small for the network's size", "", vanishing))
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def check_object_values(notes: Iterable[Mapping[str, Any]]) -> None:
    """Refuse masks of two values each that are numbers or colours of several classes.

    Raises:
        UserError: If they are; it lists the values.
    """
    values = Counter(note["object_value"] for note in notes if note.get("object_value"))
    numbers = {it: n for it, n in values.items() if it[0] not in "'" and 0 < float(it) < FEW}
    colours = {it: n for it, n in values.items() if it[0] == "'" and len(set(_channels(it))) > 1}
    for kind, found in (("numbers", numbers), ("colours", colours)):
        if len(found) > 1:
            listed = ", ".join(f"{value} (in {number} masks)" for value, number in found.items())
            first, *others = found
            raise UserError(
                f"What the masks show has several {kind}: {listed}. If they are classes, say which "
                f"are cut out: masks.foreground: [{first}], or [{', '.join([first, *others])}] for "
                "all; or masks.foreground: bright if they mean the same."
            )


def describe_vanishing(
    photo_table: pd.DataFrame, notes: Sequence[Mapping[str, Any]], height: int, width: int
) -> str:
    """Warn of masks too thin for the input size, with a size that would do; empty without any.

    Args:
        photo_table: Columns ``photo_id``, ``height`` and ``width`` (pixels).
        notes: Of each mask; those with a ``thickness`` are concerned.
        height: Of the network's input, in pixels.
        width: The same.
    """
    thickness = np.array([note.get("thickness", np.nan) for note in notes])
    if np.isnan(thickness).all():
        return ""
    thinnest = int(np.nanargmin(thickness / photo_table["width"].to_numpy()))
    photo_id, *size = photo_table[["photo_id", "width", "height"]].iloc[thinnest].tolist()
    pixels = float(thickness[thinnest])
    needed = [min(_rounded_up(SEEN_THICKNESS * side / pixels), _rounded_up(side)) for side in size]
    return (
        f"{np.count_nonzero(thickness > 0)} of {len(photo_table)} masks are too thin or small for "
        f"the network's {width}×{height} pixels (image.width, image.height): most of what they "
        "show covers no more than half of any pixel, and cannot be learnt. That of "
        f"{photo_id} is {pixels:.0f} pixels across at most, on {size[0]}×{size[1]}: "
        f"{needed[0]}×{needed[1]} would show it."
    )


def photos_to_look_at(photo_splits: pd.DataFrame, count: int) -> pd.DataFrame:
    """Photos from all splits, from the smallest mask of each to its largest.

    Args:
        photo_splits: Columns ``split`` and ``foreground_share``.
        count: How many, of all splits together; each split has at least two, if it has them.
    """
    chosen = []
    for _, photos in photo_splits.groupby("split", sort=False):
        wanted = max(2, round(count * len(photos) / len(photo_splits)))
        by_area = photos.sort_values("foreground_share", kind="stable")
        rows = np.linspace(0, len(photos) - 1, min(wanted, len(photos))).round().astype(int)
        chosen.append(by_area.iloc[np.unique(rows)])
    return pd.concat(chosen)


def _counted(of: str, what: str, values: Iterable[str]) -> list[tuple[str, str, str, int]]:
    counts = Counter(values).most_common()
    rows = [(of, what, value, number) for value, number in counts[:LISTED]]
    others = counts[LISTED:]
    if others:
        rows.append((of, what, f"{len(others)} others", sum(number for _, number in others)))
    return rows


def _channels(colour: str) -> tuple[str, str, str]:
    """Red, green and blue of ``'#rrggbb'``, quotes included."""
    return colour[2:4], colour[4:6], colour[6:8]


def _rounded_up(pixels: float) -> int:
    return math.ceil(pixels / STEP) * STEP
