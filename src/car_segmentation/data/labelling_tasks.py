"""A folder of tasks for a labelling tool: photos, the masks to correct, and what each is for.

`write_tasks` makes the folder; `take_corrections` takes what the tool exported, with the origin of
each mask. Of each task the mask that was handed out is kept, to tell whether anybody changed it.
"""

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file, atomic_folder
from car_segmentation.core.parallel import map_photos
from car_segmentation.core.tables import read_table, write_table
from car_segmentation.data.annotations import (
    FOREGROUND,
    Annotation,
    Choice,
    PredictedMask,
    draw_mask,
    labelling_interface,
    match_photos,
    read_annotations,
    write_coco,
    write_label_studio,
    write_labelme,
)
from car_segmentation.data.corrections import Correction, add_corrections, mask_file
from car_segmentation.data.masks import Mask, encode_mask, read_mask
from car_segmentation.parameters import AnnotationFormat

Tool = Literal["label_studio", "cvat", "labelme"]
TABLE, PHOTOS, MASKS, DRAWN = "tasks.csv", "photos", "masks", "corrected"
"""In the folder of tasks. Photos are copies, masks those that are handed out."""
TASK_FILES: dict[Tool, str] = {
    "label_studio": "tasks.json",
    "cvat": "annotations.json",
    "labelme": PHOTOS,
}
"""What each tool reads."""
INTERFACE = "interface.xml"
"""The labelling interface of a project of Label Studio."""
TAKEN = "taken"
OUTCOME_COLUMNS = ["photo", "outcome"]
UNFINISHED = "has no finished annotation"
UNCHANGED = "is as it was handed out: nobody has corrected it"


class Task(NamedTuple):
    """A mask to correct."""

    photo: str
    """Path in the folder of photos."""
    file: Path
    """The photo."""
    mask: Path
    """A mask that `read_mask` reads."""
    mask_from: str
    """What made it, in words."""
    reason: str
    """Why it is handed out."""


class RawFolders(NamedTuple):
    """Where photos and corrected masks go."""

    photos: Path
    corrections: Path


def write_tasks(
    folder: Path, tasks: Sequence[Task], tool: Tool, label: str, photo_url: str
) -> None:
    """Write tasks with their photos.

    Args:
        folder: New, or empty.
        tasks: At least one.
        tool: Which files are written, see `TASK_FILES`.
        label: The class.
        photo_url: The address that Label Studio gets a photo from; ``{photo}`` stands for its path.

    Raises:
        UserError: If the folder holds something, perhaps the work of annotators.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            f"{folder} is not empty: name another folder for the tasks (--params=tasks=FOLDER), or "
            "delete this one if nobody's work is in it."
        )
    with atomic_folder(folder) as part:
        for task in tasks:
            copy = part / PHOTOS / task.photo
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(task.file, copy)
        masks = _hand_out(part, tasks)
        if tool == "label_studio":
            _write_label_studio(part, masks, label, photo_url)
        elif tool == "cvat":
            write_coco(part / TASK_FILES[tool], masks, label)
        else:
            write_labelme(part / PHOTOS, masks, label)
            _keep_polygons(part, tasks, label)
        rows = [(task.photo, tool, label, task.mask_from, task.reason) for task in tasks]
        table = pd.DataFrame(rows, columns=["photo", "tool", "label", "mask_from", "reason"])
        write_table(table, part / TABLE)


def _hand_out(folder: Path, tasks: Sequence[Task]) -> Iterator[PredictedMask]:
    for task in tasks:
        mask = read_mask(task.mask)
        _write_mask(mask_file(folder / MASKS, task.photo), mask)
        yield PredictedMask(task.photo, mask)


def _write_label_studio(
    folder: Path, masks: Iterator[PredictedMask], label: str, photo_url: str
) -> None:
    def url_of(photo: str) -> str:
        return photo_url.replace("{photo}", quote(photo))

    write_label_studio(folder / TASK_FILES["label_studio"], masks, label, url_of, "handed out")
    (folder / INTERFACE).write_text(labelling_interface(label) + "\n", encoding="utf-8")


def _keep_polygons(folder: Path, tasks: Sequence[Task], label: str) -> None:
    """Keep masks as LabelMe's polygons of few points give them, not as they were before."""
    photos = [folder / PHOTOS / task.photo for task in tasks]
    found = match_photos(read_annotations(folder / PHOTOS, "labelme").annotations, photos)
    for photo, annotation in found.by_photo.items():
        file = mask_file(folder / MASKS, photo.relative_to(folder / PHOTOS).as_posix())
        values, _ = annotation.mask(read_mask(file).shape, Choice((label,)))
        _write_mask(file, values == FOREGROUND)


def _write_mask(file: Path, mask: np.ndarray) -> None:
    with atomic_file(file) as part:
        part.write_bytes(encode_mask(Mask(mask)))


def read_tasks(folder: Path) -> pd.DataFrame:
    """The table of a folder of tasks: ``photo``, ``tool``, ``label``, ``mask_from``, ``reason``.

    Raises:
        UserError: If there is none, or it is damaged.
    """
    try:
        return read_table(folder / TABLE, others="text", key="photo")
    except FileNotFoundError:
        raise UserError(
            f"There are no tasks in {folder}: `kedro run --pipelines=corrections_export` writes "
            "them; name their folder with --params=tasks=FOLDER."
        ) from None


def take_corrections(
    folder: Path,
    annotated: Path | None,
    kind: AnnotationFormat,
    annotator: str,
    raw: RawFolders,
    max_megapixels: float,
) -> pd.DataFrame:
    """Take the corrected masks of tasks into the folder of corrections, each with its origin.

    Taken is what an annotator has finished. Label Studio says so; with other tools, a mask that is
    as it was handed out counts as unfinished. A photo that is not in the folder of photos is
    copied there.

    Args:
        folder: Of the tasks.
        annotated: What the tool exported; None for LabelMe's files beside the photos.
        kind: How it is read; see `read_annotations`.
        annotator: Who did it, where the tool does not say.
        raw: Where photos and masks go.
        max_megapixels: Larger photos are refused.

    Returns:
        A row for each task: ``photo`` and ``outcome``, `TAKEN` or why not.

    Raises:
        UserError: If there are no tasks, or nothing that is understood was exported.
    """
    tasks = read_tasks(folder)
    tool, label = tasks["tool"].iloc[0], tasks["label"].iloc[0]
    if annotated is None and tool != "labelme":
        raise UserError(
            f"The tasks in {folder} are for {tool}: name what it exported with "
            "--params=labelling.annotated=FILE."
        )
    source = annotated or folder / PHOTOS
    photos = {folder / PHOTOS / name: name for name in tasks["photo"]}
    matched = match_photos(read_annotations(source, kind).annotations, list(photos))
    refused = {photos[path]: why for path, why in matched.problems if path in photos}
    annotations = {photos[path]: it for path, it in matched.by_photo.items()}
    refused |= _draw(folder, annotations, label, max_megapixels)
    taken = []
    for task in tasks.itertuples():
        photo = str(task.photo)
        if photo not in annotations:
            refused.setdefault(photo, f"{UNFINISHED} in {source.name}")
        if photo in refused:
            continue
        before, after = (read_mask(mask_file(folder / it, photo)) for it in (MASKS, DRAWN))
        if tool != "label_studio" and np.array_equal(before, after):
            refused[photo] = UNCHANGED
        elif _is_another(folder / PHOTOS / photo, raw.photos / photo):
            refused[photo] = f"is not the photo that {raw.photos / photo} is: rename one of them"
        else:
            taken.append(
                Correction(
                    photo,
                    str(task.mask_from),
                    tool,
                    source.name,
                    annotations[photo].annotator or annotator,
                    annotations[photo].date or datetime.now(UTC).isoformat(timespec="seconds"),
                    _dice(before, after),
                )
            )
    for correction in taken:
        _copy(folder / PHOTOS / correction.photo, raw.photos / correction.photo)
        drawn, own = (mask_file(it, correction.photo) for it in (folder / DRAWN, raw.corrections))
        _copy(drawn, own, replace=True)
    if taken:
        add_corrections(raw.corrections, taken)
    outcomes = [(photo, refused.get(photo, TAKEN)) for photo in tasks["photo"]]
    return pd.DataFrame(outcomes, columns=OUTCOME_COLUMNS)


def _draw(
    folder: Path, annotations: dict[str, Annotation], label: str, max_megapixels: float
) -> dict[str, str]:
    """Draw annotated masks into the folder; return the photos that cannot be drawn, and why."""
    draw = partial(draw_mask, choice=Choice((label,)), max_megapixels=max_megapixels)
    items = [
        (folder / PHOTOS / photo, annotation, mask_file(folder / DRAWN, photo))
        for photo, annotation in annotations.items()
    ]
    outcomes = map_photos(draw, items, len(items), "draw corrected masks")
    drawn = zip(annotations, outcomes, strict=True)
    return {photo: outcome for photo, outcome in drawn if isinstance(outcome, str)}


def _is_another(copy: Path, photo: Path) -> bool:
    return photo.exists() and not filecmp.cmp(copy, photo, shallow=False)


def _copy(source: Path, target: Path, replace: bool = False) -> None:
    if replace or not target.exists():
        with atomic_file(target) as part:
            shutil.copy2(source, part)


def _dice(before: np.ndarray, after: np.ndarray) -> float:
    both = int(np.count_nonzero(before)) + int(np.count_nonzero(after))
    return 2 * int(np.count_nonzero(before & after)) / both if both else 1.0
