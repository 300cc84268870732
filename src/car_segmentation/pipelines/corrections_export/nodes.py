"""Nodes of the corrections_export pipeline."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore, local_folder
from car_segmentation.core.places import folder_of
from car_segmentation.core.tables import read_table
from car_segmentation.data.labelling_tasks import TASK_FILES, Task, write_tasks
from car_segmentation.data.pairing import relative_name
from car_segmentation.parameters import Labelling, Subject
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.prediction.prediction_origin import origin_of

logger = logging.getLogger(__name__)

EDIT = "edit"
"""The decision of the review page that hands a mask out."""


def choose_masks(
    labelling: dict[str, Any],
    photos: str,
    predictions_folder: Path | ObjectStore,
    photo_splits: pd.DataFrame,
    raw_data: str,
    photo_folder: str,
) -> list[Task]:
    """List the masks that were marked to edit, or that are suspected of label errors."""
    settings = Labelling(**labelling)
    if settings.photos is None:
        raise UserError(
            "Say which masks are to be corrected: --params=labelling.photos=FILE, where FILE is "
            "review_decisions.csv of the review page, or a report's label_errors.csv."
        )
    path = Path(settings.photos)
    try:
        table = read_table(path, others="text")
    except FileNotFoundError:
        raise UserError(f"labelling.photos: there is no {path}.") from None
    if {"photo", "decision"} <= set(table):
        tasks = _predicted(table, folder_of(photos), local_folder(predictions_folder))
        wanted = f"marked '{EDIT}'"
    elif {"photo_id", "suspicion", "reason"} <= set(table):
        tasks = _suspected(table.head(settings.most), photo_splits, Path(raw_data, photo_folder))
        wanted = "suspected of a label error"
    else:
        raise UserError(
            f"{path} is neither review_decisions.csv (columns photo and decision) nor "
            "label_errors.csv (photo_id, suspicion and reason)."
        )
    if not tasks:
        raise UserError(f"No photo in {path} is {wanted}: there is nothing to correct.")
    return tasks


def write_labelling_tasks(
    masks_to_correct: list[Task],
    labelling: dict[str, Any],
    subject: dict[str, str],
    tasks_folder: Path,
) -> None:
    """Write the tasks, with copies of their photos, for a labelling tool."""
    settings = Labelling(**labelling)
    label = Subject(**subject).one
    write_tasks(tasks_folder, masks_to_correct, settings.tool, label, settings.photo_url)
    file = tasks_folder / TASK_FILES[settings.tool]
    logger.info("%d masks to correct, for %s: %s", len(masks_to_correct), settings.tool, file)


def _predicted(decisions: pd.DataFrame, photos: Path, predictions: Path) -> list[Task]:
    origin = origin_of(predictions)
    made_by = (
        "prediction of an unknown model"
        if origin is None
        else f"prediction of model {origin['model'][:12]}, threshold {origin['threshold']:g}"
    )
    tasks = []
    for name in decisions.loc[decisions["decision"] == EDIT, "photo"]:
        task = Task(
            name, photos / name, output_file(predictions, MASKS, name), made_by, "marked to edit"
        )
        for file, parameter in ((task.file, "photos"), (task.mask, "predictions")):
            if not file.is_file():
                raise UserError(
                    f"{file} is missing: name the folder that was reviewed "
                    f"(--params={parameter}=FOLDER)."
                )
        tasks.append(task)
    return tasks


def _suspected(errors: pd.DataFrame, photo_splits: pd.DataFrame, photo_folder: Path) -> list[Task]:
    rows = errors[["photo_id", "reason"]].merge(photo_splits, on="photo_id")
    if len(rows) < len(errors):
        unknown = sorted(set(errors["photo_id"]) - set(rows["photo_id"]))[0]
        raise UserError(
            f"{unknown} is suspected of a label error, and is not among the photos of this "
            "environment: give this run the --env of the report."
        )
    return [
        Task(
            relative_name(Path(photo).absolute(), photo_folder.absolute()),
            Path(photo),
            Path(mask),
            f"mask {Path(mask).name}",
            reason,
        )
        for photo, mask, reason in zip(
            rows["photo_path"], rows["mask_path"], rows["reason"], strict=True
        )
    ]
