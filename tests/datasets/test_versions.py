"""Versions of the project's datasets, which Kedro keeps with `versioned: true`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.io import DataCatalog

from car_segmentation.datasets.models import ChosenModelDataset, ChosenThresholdDataset
from car_segmentation.prediction.threshold_file import threshold_beside

OWN = "car_segmentation.datasets"
OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


def tiny_model(scale: int) -> keras.Model:
    layers = keras.layers
    last = layers.Conv2D(1, 1, activation="sigmoid")
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(scale), last])


TYPES: dict[str, tuple[dict[str, Any], Callable[[int], Any], Callable[[Any], int]]] = {
    "tables.TableDataset": (
        {"filepath": "table.csv"},
        lambda value: pd.DataFrame({"a": [value]}),
        lambda loaded: int(loaded["a"][0]),
    ),
    "json_files.JSONFileDataset": (
        {"filepath": "file.json", "holds": "anything"},
        lambda value: {"a": value},
        lambda loaded: loaded["a"],
    ),
    "pictures.PictureDataset": (
        {"filepath": "picture.png"},
        lambda value: np.full((2, 2, 3), value, np.uint8),
        lambda loaded: int(loaded[0, 0, 0]),
    ),
    "plots.PlotDataset": (
        {"filepath": "plot.html"},
        lambda value: go.Figure(go.Bar(x=[1], y=[value])),
        lambda loaded: loaded.data[0].y[0],
    ),
    "keras_model.KerasModelDataset": (
        {"filepath": "model.keras"},
        tiny_model,
        lambda loaded: loaded.layers[0].scale,
    ),
    "tables.OptionalCSVDataset": (
        {"filepath": "metadata.csv", "columns": ["id"], "save_args": {"index": False}},
        lambda value: pd.DataFrame({"id": [value]}),
        lambda loaded: int(loaded["id"][0]),
    ),
}


def catalog(folder: Path, saves: str = NEW, loads: str | None = None, **entry: Any) -> DataCatalog:
    entry["filepath"] = str(folder / entry["filepath"])
    versions = {"it": loads} if loads else None
    return DataCatalog.from_config({"it": entry}, save_version=saves, load_versions=versions)


@pytest.mark.parametrize("kind", TYPES)
def test_each_version_is_kept_and_loaded(kind: str, tmp_path: Path) -> None:
    options, make, value_of = TYPES[kind]
    entry = {"type": f"{OWN}.{kind}", "versioned": True, **options}
    assert not catalog(tmp_path, **entry).exists("it")
    catalog(tmp_path, OLD, **entry).save("it", make(1))
    catalog(tmp_path, NEW, **entry).save("it", make(2))
    name = options["filepath"]
    for version in (OLD, NEW):
        assert (tmp_path / name / version / name).is_file()
    assert catalog(tmp_path, **entry).exists("it")
    assert value_of(catalog(tmp_path, **entry).load("it")) == 2
    assert value_of(catalog(tmp_path, loads=OLD, **entry).load("it")) == 1


def test_inference_finds_the_newest_model_and_the_threshold_of_the_same_version(
    tmp_path: Path,
) -> None:
    model = {"type": f"{OWN}.keras_model.KerasModelDataset", "filepath": "model.keras"}
    threshold = {"type": f"{OWN}.json_files.JSONFileDataset", "filepath": "threshold.json"}
    for version, value in ((OLD, 1), (NEW, 2)):
        catalog(tmp_path, version, **model, versioned=True).save("it", tiny_model(value))
        result = {"threshold": value / 4, "validation_dice": 1.0}
        catalog(tmp_path, version, **threshold, holds="threshold", versioned=True).save(
            "it", result
        )
    chosen = str(tmp_path / "model.keras")
    assert ChosenModelDataset(chosen).exists() and ChosenThresholdDataset(chosen).exists()
    assert ChosenModelDataset(chosen).load().layers[0].scale == 2
    assert ChosenThresholdDataset(chosen).load() == {"threshold": 0.5}
    old = f"{chosen}/{OLD}/model.keras"
    assert ChosenModelDataset(old).load().layers[0].scale == 1
    assert threshold_beside(Path(old)) == 0.25
