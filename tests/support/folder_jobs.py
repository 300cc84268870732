"""Folders of photos that are predicted by a model of `tests.support.models`."""

from pathlib import Path

import pandas as pd

from car_segmentation.prediction.folder_job import PendingPredictions, sort_out_photos
from car_segmentation.prediction.predictors import Predictor
from tests.support.models import Darkness


def pending(photos: Path, model: Predictor | None = None, **options) -> PendingPredictions:
    defaults = {"threshold": 0.5, "batch_size": 4, "max_megapixels": 1.0}
    files = sorted(path for path in photos.iterdir() if not path.is_dir())
    return PendingPredictions(
        model=model or Darkness(), photos=sort_out_photos(files), **(defaults | options)
    )


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", keep_default_na=False, dtype=str)
