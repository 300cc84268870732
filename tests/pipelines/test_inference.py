"""The inference graph on an in-memory catalog: the work is the node's, and so are its errors."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.folders import FolderDataset, PhotoFolderDataset
from car_segmentation.datasets.prediction_folder import PredictionFolderDataset
from car_segmentation.pipelines.inference import create_pipeline
from tests.support.models import Darkness
from tests.support.parameters import parameters
from tests.support.photos import write_discs


def catalog_for(photos: Path, predictions: Path) -> DataCatalog:
    given = parameters()
    inputs = {
        "new_photo_files": sorted(photos.iterdir()),
        "chosen_model": Darkness(),
        "chosen_threshold": {"threshold": 0.5},
        "params:photos": str(photos),
        "params:predictions": str(predictions),
        **{
            f"params:{group}": given[group]
            for group in ("checks", "prediction", "inference", "pairing")
        },
    }
    memory = {name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()}
    return DataCatalog(
        {
            **memory,
            "predictions_folder": FolderDataset(str(predictions)),
            "predictions": PredictionFolderDataset(str(predictions)),
        }
    )


def test_the_node_fills_the_folder_that_the_result_points_at(tmp_path: Path) -> None:
    write_discs(tmp_path / "photos", 3)
    catalog = catalog_for(tmp_path / "photos", tmp_path / "predictions")
    seen: list[bool] = []
    catalog["predictions"].save = lambda folder: seen.append(  # type: ignore[method-assign]
        (folder / "predictions.csv").is_file()
    )
    SequentialRunner().run(create_pipeline(), catalog)
    assert seen == [True]  # Finished before the dataset was called.
    assert len(catalog.load("predictions")) == 3


def test_an_error_of_the_user_arrives_as_it_was_raised(tmp_path: Path) -> None:
    write_discs(tmp_path / "photos", 1)
    (tmp_path / "predictions").write_text("a file")
    catalog = catalog_for(tmp_path / "photos", tmp_path / "predictions")
    with pytest.raises(UserError, match="cannot be written to"):
        SequentialRunner().run(create_pipeline(), catalog)


def test_folders_are_read_and_kept_and_predictions_inside_them_are_no_photos(
    tmp_path: Path,
) -> None:
    write_discs(tmp_path / "day 1", 2)
    write_discs(tmp_path / "day 2", 1)
    (tmp_path / "day 1" / "001.json").touch()
    predictions = tmp_path / "predictions"
    for _ in range(2):
        catalog = catalog_for(tmp_path, predictions)
        catalog["new_photo_files"] = PhotoFolderDataset(str(tmp_path))
        SequentialRunner().run(create_pipeline(), catalog)
        assert catalog.load("predictions")["photo"].tolist() == [
            "day 1/000.png",
            "day 1/001.png",
            "day 2/000.png",
        ]
    masks = sorted(path.relative_to(predictions / "masks") for path in predictions.rglob("0*.png"))
    assert masks == [Path("day 1/000.png"), Path("day 1/001.png"), Path("day 2/000.png")]


def test_a_single_file_can_be_predicted(tmp_path: Path) -> None:
    write_discs(tmp_path / "photos", 3)
    photo = tmp_path / "photos" / "001.png"
    catalog = catalog_for(tmp_path / "photos", tmp_path / "predictions")
    catalog["params:photos"] = MemoryDataset(str(photo))
    catalog["new_photo_files"] = PhotoFolderDataset(str(photo))
    SequentialRunner().run(create_pipeline(), catalog)
    assert catalog.load("predictions")["photo"].tolist() == ["001.png"]
    assert (tmp_path / "predictions" / "masks" / "001.png").is_file()
