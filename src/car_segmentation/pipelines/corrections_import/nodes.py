"""Nodes of the corrections_import pipeline."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from car_segmentation.data.labelling_tasks import TAKEN, RawFolders, take_corrections
from car_segmentation.parameters import AnnotationFormat, Checks, Labelling

logger = logging.getLogger(__name__)


def take_corrected_masks(
    tasks_folder: Path,
    labelling: dict[str, Any],
    annotation_format: AnnotationFormat,
    raw_data: str,
    photo_folder: str,
    corrections: str,
    checks: dict[str, Any],
) -> pd.DataFrame:
    """Take the masks that annotators have finished, and list the others with the reason."""
    settings, raw = Labelling(**labelling), Path(raw_data)
    outcome = take_corrections(
        tasks_folder,
        None if settings.annotated is None else Path(settings.annotated),
        annotation_format,
        settings.annotator or "",
        RawFolders(raw / photo_folder, raw / corrections),
        Checks(**checks).max_megapixels,
    )
    left = outcome[outcome["outcome"] != TAKEN]
    taken = len(outcome) - len(left)
    logger.info("%d of %d masks were taken into %s", taken, len(outcome), raw / corrections)
    for reason, photos in left.groupby("outcome")["photo"]:
        logger.warning("%d %s, such as %s", len(photos), reason, photos.iloc[0])
    return outcome
