"""Kedro-Viz shows a preview by the name of the type that ``preview`` is said to return."""

import inspect
from typing import Any

import pytest

from car_segmentation.datasets.folders import PhotoFolderDataset
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.datasets.pictures import PictureDataset
from car_segmentation.datasets.plots import PlotDataset
from car_segmentation.datasets.tables import TableDataset


@pytest.mark.parametrize(
    ("dataset", "kind"),
    [
        (PhotoFolderDataset, "ImagePreview"),
        (PictureDataset, "ImagePreview"),
        (KerasModelDataset, "TablePreview"),
        (TableDataset, "TablePreview"),
        (PlotDataset, "PlotlyPreview"),
    ],
)
def test_previews_have_the_types_that_kedro_viz_looks_for(dataset: Any, kind: str) -> None:
    assert inspect.signature(dataset.preview).return_annotation.__name__ == kind
