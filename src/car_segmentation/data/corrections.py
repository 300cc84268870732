"""Masks that people have corrected: a folder of them beside the original ones, and their origin.

A corrected mask takes the place of any other. `TABLE` says of each where it is from: only masks
that it lists are used.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.tables import read_table, write_table

TABLE = "corrections.csv"


class Correction(NamedTuple):
    """Where a corrected mask is from."""

    photo: str
    """Path in the folder of photos."""
    mask_from: str
    """The mask that the annotator was given: a model's prediction, or a file."""
    tool: str
    source: str
    """The file, or folder, that the tool exported."""
    annotator: str
    """As the tool, or the parameter ``labelling.annotator``, names people."""
    date: str
    """When it was annotated or, if the tool does not say, imported."""
    dice: float
    """Of the mask that the annotator was given, with the corrected one."""


COLUMNS = list(Correction._fields)


class CorrectedMasks(NamedTuple):
    """The corrected masks of a folder."""

    by_photo: dict[Path, Path]
    problems: list[tuple[Path, str]]
    """Masks that have no photo, and why."""


def mask_file(folder: Path, photo: str) -> Path:
    """Where the mask of a photo is in a folder of masks: ``a.jpg.png`` is of ``a.jpg``."""
    return folder / f"{photo}.png"


def read_corrections(folder: Path) -> pd.DataFrame:
    """The table of a folder, columns `COLUMNS`; without rows if nothing was corrected.

    Raises:
        UserError: If it is damaged.
    """
    path = folder / TABLE
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = read_table(path, others="text", numbers=["dice"], key="photo")
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} has no column '{missing[0]}'.")
    return table


def add_corrections(folder: Path, corrections: Iterable[Correction]) -> None:
    """Add masks, whose files are there, to the table; a photo's newer row replaces the older."""
    added = pd.DataFrame(corrections, columns=COLUMNS)
    kept = read_corrections(folder)
    kept = kept[~kept["photo"].isin(added["photo"])]
    table = pd.concat([kept, added] if len(kept) else [added], ignore_index=True)
    with atomic_file(folder / TABLE, durable=True) as part:
        write_table(table.sort_values("photo"), part, float_format="%.6f")


def corrected_masks(
    folder: Path, photo_folder: Path, photo_files: Collection[Path]
) -> CorrectedMasks:
    """Find the corrected mask of each photo that has one.

    Args:
        folder: Of the corrected masks.
        photo_folder: What photos' names are relative to.
        photo_files: The photos that there are.

    Raises:
        UserError: If the table is damaged, or a mask that it lists is missing.
    """
    photos = set(photo_files)
    found = CorrectedMasks({}, [])
    for name in read_corrections(folder)["photo"]:
        mask = mask_file(folder, name)
        if not mask.is_file():
            raise UserError(
                f"{folder / TABLE} lists a mask of {name}, and {mask} is missing: put it back, or "
                "delete that row."
            )
        if photo_folder / name in photos:
            found.by_photo[photo_folder / name] = mask
        else:
            found.problems.append((mask, f"corrects {name}, which is not among the photos"))
    return found
