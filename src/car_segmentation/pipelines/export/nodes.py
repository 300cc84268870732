"""Nodes of the export pipeline."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.data.splits import rows_of_split
from car_segmentation.parameters import Export
from car_segmentation.pipelines.slow_types import Model
from car_segmentation.serving import export as files

logger = logging.getLogger(__name__)


def export_model(
    model: Model, threshold: dict[str, float], export: dict[str, Any], exported_models_folder: Path
) -> Path:
    """Write the model, with resizing and threshold inside, in other formats."""
    settings = Export(**export)
    files.check_packages(settings.formats)
    files.export_model(exported_models_folder, model, threshold["threshold"], settings.formats)
    return exported_models_folder


def check_exports(
    exported_models: dict[files.Format, Path],
    model: Model,
    threshold: dict[str, float],
    photo_splits: pd.DataFrame,
    export: dict[str, Any],
) -> pd.DataFrame:
    """Compare every exported file with Keras on test photos, evenly drawn."""
    test = rows_of_split(photo_splits, "test")["photo_path"].sort_values()
    number = min(Export(**export).checked_photos, len(test))
    drawn = np.linspace(0, len(test) - 1, number).astype(int)
    photos = [Path(path) for path in test.iloc[drawn]]
    table = files.compare_exports(model, threshold["threshold"], exported_models, photos)
    logger.info("Exported models compared with Keras, %d photos:\n%s", number, table.to_string())
    return table
