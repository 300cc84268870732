"""Folders of photos that are predicted by a model of `tests.support.models`."""

from pathlib import Path

import pandas as pd

from car_segmentation.prediction.folder_job import FolderJob
from car_segmentation.prediction.new_photos import sort_out_photos
from car_segmentation.prediction.predictor import Predictor
from car_segmentation.prediction.segmenter import Segmenter
from tests.support.models import Darkness


def folder_job(
    photos: Path,
    model: Predictor | None = None,
    threshold: float = 0.5,
    batch_size: int = 4,
    **options,
) -> FolderJob:
    files = sorted(path for path in photos.iterdir() if not path.is_dir())
    segmenter = Segmenter(model or Darkness(), threshold, batch_size)
    return FolderJob(
        segmenter, sort_out_photos(files, photos), **({"max_megapixels": 1.0} | options)
    )


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", keep_default_na=False, dtype=str)
