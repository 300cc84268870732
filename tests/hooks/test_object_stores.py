"""Folders in object stores are refused in a sentence; a model may be in one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from kedro.io import DatasetError

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.models import ChosenModelDataset, ChosenThresholdDataset
from car_segmentation.hooks.parameter_checks import refuse_stores
from car_segmentation.parameters import check_parameters
from tests.support.parameters import parameters


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("data_folder", {"data_folder": "s3://bucket/data"}),
        ("inference.composites", {"inference": {"composites": "s3://bucket/wall.jpg"}}),
        ("prediction.ensemble", {"prediction": {"ensemble": ["s3://bucket/b.keras"]}}),
    ],
)
def test_parameters_that_are_folders(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf"{name} = .*://.*object store.*copy the bucket"):
        check_parameters(parameters(**given))


@pytest.mark.parametrize("given", [{"submission": True}, {"canvas": {"width": 80, "height": 80}}])
def test_what_is_made_of_all_pictures_is_local(given: dict[str, Any]) -> None:
    inference = parameters()["inference"] | given
    with pytest.raises(UserError, match=r"predictions = 's3://b/out': a submission and canvases"):
        check_parameters(parameters(predictions="s3://b/out", inference=inference))
    check_parameters(parameters(photos="s3://b/in", inference=inference))


def test_parameters_that_may_be_addresses() -> None:
    given = {"photos": "gs://bucket/new", "predictions": "abfs://box/masks"} | {
        "raw_data": "s3://bucket/cars"
    }
    assert check_parameters(parameters(**given)).predictions == given["predictions"]
    start = {"start_from": "s3://bucket/model.keras"}
    assert check_parameters(parameters(training=start)).training.start_from == start["start_from"]
    given = {"model": "s3://bucket/model.keras", "cluster": "tcp://scheduler:8786"}
    assert check_parameters(parameters(**given)).model == "s3://bucket/model.keras"


def test_datasets_of_the_project() -> None:
    folder = {"type": "car_segmentation.datasets.pictures.PictureFolderDataset", "path": "s3://b/p"}
    table = {"type": "car_segmentation.datasets.tables.TableDataset", "filepath": "s3://b/t.csv"}
    logged = {"type": "kedro_mlflow.io.artifacts.MlflowArtifactDataset", "dataset": table}
    for entry, place in ((folder, "path = 's3://b/p'"), (logged, "filepath = 's3://b/t.csv'")):
        with pytest.raises(UserError, match=rf"catalog: scores\.{place}: is in an object store"):
            refuse_stores({"_layer": "raw", "scores": entry})
    refuse_stores({"scores": folder | {"path": "file:///data/p"}})
    refuse_stores({"scores": table})
    refuse_stores({"scores": {"type": "json.JSONDataset", "filepath": "s3://bucket/s.json"}})


@pytest.fixture
def model_in_a_store(tmp_path: Path) -> Iterator[str]:
    import keras

    store = fsspec.filesystem("memory")
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    )
    model.save(tmp_path / "model.keras")
    store.put_file(str(tmp_path / "model.keras"), "/bucket/model.keras")
    store.pipe_file("/bucket/threshold.json", json.dumps({"threshold": 0.25}).encode())
    yield "memory://bucket/model.keras"
    store.store.clear()


def test_a_model_in_a_store(model_in_a_store: str) -> None:
    model, threshold = (
        ChosenModelDataset(model_in_a_store),
        ChosenThresholdDataset(model_in_a_store),
    )
    assert model.exists() and threshold.exists()
    assert model.load().input_shape == (None, 8, 8, 3)
    assert threshold.load() == {"threshold": 0.25}
    with pytest.raises(DatasetError, match=r"There is no memory://bucket/other.keras"):
        ChosenModelDataset("memory://bucket/other.keras").load()
