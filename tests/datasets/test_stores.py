"""Datasets of one file in an object store: the same as in a folder, with and without versions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro.io.core import Version

from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.folders import PhotoFolderDataset
from car_segmentation.datasets.json_files import JSONFileDataset
from car_segmentation.datasets.pictures import PictureDataset
from car_segmentation.datasets.plots import PlotDataset
from car_segmentation.datasets.prediction_folder import PredictionFolderDataset
from car_segmentation.datasets.tables import TableDataset
from tests.support.stores import memory_bucket

TABLE = pd.DataFrame({"photo": ["007", "NA"], "dice": [0.5, 1.0]})
PICTURE = np.full((4, 6, 3), 200, np.uint8)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    with memory_bucket() as address:
        yield address
    assert list(tmp_path.iterdir()) == []  # Nothing was written to ./memory:


def same(first: Any, second: Any) -> bool:
    return np.array_equal(first, second) if isinstance(first, np.ndarray) else first == second


@pytest.mark.parametrize(
    ("kind", "name", "options", "data"),
    [
        (JSONFileDataset, "a.json", {"holds": "anything"}, {"a": [1, 2]}),
        (PictureDataset, "a.png", {}, PICTURE),
    ],
)
def test_one_file(
    bucket: str, kind: type[FileDataset], name: str, options: dict[str, Any], data: Any
) -> None:
    dataset = kind(f"{bucket}/deep/{name}", **options)
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=f"There is no {bucket}/deep/{name}"):
        dataset.load()
    dataset.save(data)
    assert dataset.exists() and same(dataset.load(), data)
    dataset.preview()  # type: ignore[attr-defined]

    place = f"{bucket}/versions/{name}"
    for version, content in (
        ("2026-01-01T00.00.00.000Z", data),
        ("2026-01-02T00.00.00.000Z", data),
    ):
        kind(place, version=Version(None, version), **options).save(content)
    latest = kind(place, version=Version(None, None), **options)
    assert latest.exists() and same(latest.load(), data)
    assert latest.resolve_load_version() == "2026-01-02T00.00.00.000Z"
    old = kind(place, version=Version("2026-01-01T00.00.00.000Z", None), **options)
    assert same(old.load(), data)


def test_tables(bucket: str) -> None:
    dataset = TableDataset(f"{bucket}/t.csv", text=["photo"])
    dataset.save(TABLE)
    pd.testing.assert_frame_equal(dataset.load(), TABLE)
    assert dataset.preview()["data"] == [["007", 0.5], ["NA", 1.0]]


def test_plots_are_a_page_and_its_data(bucket: str) -> None:
    from plotly.graph_objects import Figure, Scatter

    dataset = PlotDataset(f"{bucket}/p.html")
    assert not dataset.exists()
    dataset.save(Figure(Scatter(y=[1, 2])))
    assert list(dataset.load().data[0].y) == [1, 2]
    with dataset.reading() as page:
        assert "<html" in page.read_text(encoding="utf-8")


def test_a_network(bucket: str) -> None:
    import keras

    from car_segmentation.datasets.keras_model import KerasModelDataset

    dataset = KerasModelDataset(f"{bucket}/m.keras")
    with pytest.raises(DatasetError, match=f"There is no model in {bucket}/m.keras"):
        dataset.load()
    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    dataset.save(keras.Sequential(layers))
    assert dataset.load().input_shape == (None, 8, 8, 3)
    dataset.preview()


def test_folders(bucket: str) -> None:
    PictureDataset(f"{bucket}/photos/a.png").save(PICTURE)
    assert list(PhotoFolderDataset(f"{bucket}/photos").load().states) == ["a.png"]
    with pytest.raises(DatasetError, match=f"There are no predictions in {bucket}/out"):
        PredictionFolderDataset(f"{bucket}/out").load()
