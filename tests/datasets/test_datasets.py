import base64
import io
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from PIL import Image

from car_segmentation.data.encoding import encode_picture
from car_segmentation.data.image_stack import ImageStack, new_stack, read_stack
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.folders import PhotoFolderDataset, RecordFolderDataset
from car_segmentation.datasets.image_stack import ImageStackDataset
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.datasets.pictures import PictureDataset, PictureFolderDataset
from car_segmentation.datasets.prediction_folder import PredictionFolderDataset
from car_segmentation.datasets.previews import MAX_PREVIEW_WIDTH, image_preview
from car_segmentation.datasets.tables import OptionalCSVDataset, TableDataset
from car_segmentation.networks.registry import build_network
from car_segmentation.training.losses import bce_dice
from tests.support.folder_jobs import folder_job
from tests.support.photos import disc_mask, photo_of, write_discs, write_pair

PICTURE = photo_of(disc_mask())


def opened(preview: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(preview)))


def test_photo_folder_lists_files_and_not_folders_or_hidden_ones(raw: Path) -> None:
    for name in ("b.jpg", "a.PNG", ".DS_Store"):
        (raw / "train" / name).touch()
    (raw / "train" / "old").mkdir()
    dataset = PhotoFolderDataset(str(raw / "train"))
    assert [path.name for path in dataset.load()] == ["a.PNG", "b.jpg"]
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save([])


def test_a_photo_folder_is_listed_with_the_folders_inside(tmp_path: Path) -> None:
    for name in ("b.jpg", "sub/a.jpg", "sub/deep/c.jpg", ".git/d.jpg", "__MACOSX/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "again").symlink_to(tmp_path)  # Not followed, or it would never end.
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    names = [
        path.relative_to(tmp_path).as_posix() for path in PhotoFolderDataset(str(tmp_path)).load()
    ]
    assert names == ["b.jpg", "link.jpg", "sub/a.jpg", "sub/deep/c.jpg"]
    assert PhotoFolderDataset(str(tmp_path / "b.jpg")).load() == [tmp_path / "b.jpg"]


def test_a_missing_photo_folder_is_empty(tmp_path: Path) -> None:
    dataset = PhotoFolderDataset(str(tmp_path / "gone"))
    assert dataset.load() == []
    assert not dataset.exists()


def test_photo_folder_preview_passes_over_broken_files(raw: Path) -> None:
    (raw / "train" / "a.jpg").touch()
    write_pair(raw, "b")
    assert opened(PhotoFolderDataset(str(raw / "train")).preview()).width > 300
    masks = PhotoFolderDataset(str(raw / "train_masks"), masks=True)
    assert opened(masks.preview()).width > 300


def test_a_preview_is_the_picture_narrowed() -> None:
    assert np.array_equal(np.asarray(opened(image_preview(PICTURE))), PICTURE)
    wide = np.zeros((10, 4000, 3), np.uint8)
    assert opened(image_preview(wide)).width == MAX_PREVIEW_WIDTH


def test_a_gif_mask_is_read_back_exactly(tmp_path: Path) -> None:
    (tmp_path / "mask.gif").write_bytes(encode_picture(disc_mask().astype(np.uint8) * 255, ".gif"))
    assert np.array_equal(read_mask(tmp_path / "mask.gif"), disc_mask())


def test_picture_round_trip(tmp_path: Path) -> None:
    dataset = PictureDataset(str(tmp_path / "new" / "picture.png"))
    assert not dataset.exists()
    dataset.save(PICTURE)
    assert np.array_equal(dataset.load(), PICTURE)
    assert np.array_equal(np.asarray(opened(dataset.preview())), PICTURE)


def test_only_an_optional_picture_may_be_missing(tmp_path: Path) -> None:
    missing = str(tmp_path / "picture.png")
    assert PictureDataset(missing, optional=True).load() is None
    with pytest.raises(DatasetError):
        PictureDataset(missing).load()


def test_a_picture_folder_forgets_old_pictures_and_draws_one_at_a_time(tmp_path: Path) -> None:
    dataset = PictureFolderDataset(str(tmp_path / "maps"))
    dataset.save({"old": lambda: PICTURE})
    dataset.save({"b": lambda: PICTURE, "a": lambda: PICTURE})
    assert list(dataset.load()) == ["a", "b"]
    assert opened(dataset.preview()).width > 800


def test_image_stack_round_trip(tmp_path: Path) -> None:
    dataset = ImageStackDataset(str(tmp_path / "stack"))
    with new_stack(tmp_path / "stack", ["a"], (4, 4), "float16") as writer:
        writer.write(0, np.eye(4))
    dataset.save(read_stack(tmp_path / "stack"))
    loaded = dataset.load()
    assert loaded.ids == ("a",)
    assert isinstance(loaded.pixels, np.memmap)
    assert np.array_equal(loaded.pixels[0], np.eye(4))
    assert opened(dataset.preview()).mode == "RGB"


def test_a_result_in_another_folder_is_refused(tmp_path: Path) -> None:
    dataset = ImageStackDataset(str(tmp_path / "stack"))
    with pytest.raises(DatasetError, match=r"the result is in memory, and should be in .*stack"):
        dataset.save(ImageStack(("a",), np.zeros((1, 2, 2))))
    with pytest.raises(DatasetError, match=r"the result is in .*other, and should be in .*stack"):
        PredictionFolderDataset(str(tmp_path / "stack")).save(tmp_path / "other")


def test_optional_csv(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    dataset = OptionalCSVDataset(columns=["id", "make"], filepath=str(path))
    assert dataset.load().columns.tolist() == ["id", "make"]
    pd.DataFrame({"id": ["a"], "make": ["Saab"]}).to_csv(path, index=False)
    assert dataset.load()["make"].tolist() == ["Saab"]
    pd.DataFrame({"id": ["a"], "price": ["9"]}).to_csv(path, index=False)
    assert dataset.load().to_dict("records") == [{"id": "a", "make": ""}]
    pd.DataFrame({"product": ["a"]}).to_csv(path, index=False)
    with pytest.raises(DatasetError, match="has no column 'id', only: product"):
        dataset.load()


def test_keras_model_round_trip_without_loss_and_optimiser(tmp_path: Path) -> None:
    dataset = KerasModelDataset(str(tmp_path / "new" / "model.keras"))
    network = build_network("segnet_unet", 16, 16, filters=[4], centre_filters=4)
    network.compile(optimizer="adam", loss=bce_dice)
    dataset.save(network)
    loaded = dataset.load()
    photos = np.zeros((1, 16, 16, 3), np.uint8)
    assert np.array_equal(loaded.predict_on_batch(photos), network.predict_on_batch(photos))
    assert not loaded.compiled
    layers = dataset.preview()
    assert layers["columns"][:3] == ["layer", "name", "filters"]
    convolutions = [row for row in layers["data"] if row[0] == "Conv2D"]
    assert len(layers["data"]) == len(network.layers)
    assert [row[2] for row in convolutions[:-1]] == ["4"] * (len(convolutions) - 1)


def test_a_missing_model_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Train one first"):
        KerasModelDataset(str(tmp_path / "model.keras")).load()


def test_a_prediction_folder_is_written_and_read(tmp_path: Path) -> None:
    write_discs(tmp_path / "photos", 2)
    (tmp_path / "photos" / "NA.jpg").touch()
    dataset = PredictionFolderDataset(str(tmp_path / "predictions"))
    assert not dataset.exists()
    folder_job(tmp_path / "photos").write(tmp_path / "predictions")
    dataset.save(tmp_path / "predictions")
    assert dataset.exists()
    table = dataset.load()
    assert table["photo"].tolist() == ["000.png", "001.png", "NA.jpg"]
    assert table["height"].tolist()[:2] == [48, 48]
    assert table["confidence"].isna().tolist() == [False, False, True]
    assert opened(dataset.preview()).width > 640


def test_records_are_added_and_replaced_one_by_one(tmp_path: Path) -> None:
    dataset = RecordFolderDataset(str(tmp_path / "records"))
    assert dataset.load() == {} and not dataset.exists()
    dataset.save({"a": {"dice": 0.5}})
    dataset.save({"b.c": {"dice": None}})
    dataset.save({"a": {"dice": 0.75}})
    assert dataset.load() == {"a": {"dice": 0.75}, "b.c": {"dice": None}}


def test_a_tracked_table_is_a_file_and_a_table_of_the_run(
    tmp_path: Path, empty_database: Path
) -> None:
    table = pd.DataFrame({"photo_id": ["a"], "dice": [0.5]})
    dataset = TableDataset(str(tmp_path / "scores.csv"), text=["photo_id"], track=True)
    dataset.save(table)  # Nothing is tracked yet.
    mlflow.set_tracking_uri(f"sqlite:///{shutil.copy(empty_database, tmp_path)}")
    try:
        with mlflow.start_run() as run:
            dataset.save(table)
            assert mlflow.load_table("scores.json", [run.info.run_id]).equals(table)
    finally:
        mlflow.set_tracking_uri(None)
    assert dataset.load().equals(table)
