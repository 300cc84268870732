"""The pipeline on two small runs in an MLflow of their own, without the project around it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.datasets.pictures import PictureFolderDataset
from car_segmentation.evaluation.photo_scores import score_photos
from car_segmentation.pipelines.run_comparison import create_pipeline
from car_segmentation.prediction.submission import predicted_masks
from car_segmentation.report.error_panels import PANEL_WIDTH
from tests.support.photos import SIZE, disc_mask, write_cars

CARS, VIEWS = 3, 2


@pytest.fixture
def runs(
    raw: Path, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Two runs on six photos: the second is right on all but the last, which it misses."""
    write_cars(raw, CARS, VIEWS)
    photos = pd.DataFrame(
        [
            {
                "photo_id": path.stem,
                "car": path.stem[:12],
                "view": path.stem[-2:],
                "photo_path": str(path),
                "mask_path": str(raw / "train_masks" / f"{path.stem}_mask.gif"),
                "height": SIZE[0],
                "width": SIZE[1],
                "split": "test",
            }
            for path in sorted((raw / "train").iterdir())
        ]
    )
    truth = np.stack([disc_mask(radius=10 + c + v) for c in range(CARS) for v in (1, 2)])
    smaller = np.stack([disc_mask(radius=8 + c + v) for c in range(CARS) for v in (1, 2)])
    missed = truth.copy()
    missed[-1] = False
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    ids = []
    for name, masks in (("before", smaller), ("after", missed)):
        stack = ImageStack(tuple(photos["photo_id"]), masks.astype(np.float16))
        folder = tmp_path / name
        folder.mkdir()
        scores = score_photos(stack, photos, 0.5)
        scores.to_csv(folder / "photo_scores.csv", index=False)
        photos.to_csv(folder / "photo_splits.csv", index=False)
        predicted_masks(stack, photos, 0.5).to_csv(folder / "predicted_masks.csv.gz", index=False)
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_artifacts(str(folder))
            mlflow.log_metric("test.dice_mean", scores["dice"].mean())
        ids.append(run.info.run_id)
    yield ids
    mlflow.set_tracking_uri(None)


class KeptDataset(MemoryDataset):
    """Outlasts the run, which lets go of what no node needs any more."""

    def _release(self) -> None:
        pass


def compare(pictures: Path, **named: str | None) -> dict:
    """Run the pipeline, and return what comes out."""
    outputs = ["run_comparison", "run_difference", "tracked_difference", "run_comparison_page"]
    datasets = {name: KeptDataset() for name in outputs}
    catalog = DataCatalog(
        {
            "params:runs": MemoryDataset({"before": None, "after": None} | named),
            "params:run_comparison": MemoryDataset({"pictures": 2}),
            "params:seed": MemoryDataset(1),
            "params:subject": MemoryDataset({"one": "shoe", "many": "shoes"}),
            "run_comparison_pictures": PictureFolderDataset(str(pictures)),
            **datasets,
        }
    )
    with mlflow.start_run():
        SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in datasets.items()}


def test_from_two_runs_to_a_page(runs: list[str], tmp_path: Path) -> None:
    result = compare(tmp_path / "pictures")
    changes = result["run_comparison"]
    assert changes["photo_id"].tolist()[0] == "000000000002_02"
    assert (changes["dice_after"].iloc[1:] == 1).all() and changes["dice_after"].iloc[0] == 0
    difference = result["run_difference"]
    assert (difference.better, difference.worse) == (5, 1)
    tracked = result["tracked_difference"]["comparison.dice_change"]["value"]
    assert tracked == pytest.approx(changes["change"].mean(), abs=1e-6)
    names = sorted(path.stem for path in (tmp_path / "pictures").iterdir())
    gained = changes["photo_id"].iloc[::-1]
    assert names == [
        f"better_01_{gained.iloc[0]}",
        f"better_02_{gained.iloc[1]}",
        "worse_01_000000000002_02",
    ]
    picture = read_photo(tmp_path / "pictures" / f"{names[0]}.png")
    assert picture.shape[1] == PANEL_WIDTH
    page = result["run_comparison_page"]
    assert page.count("data:image/jpeg;base64,") == 3
    assert all(run_id in page for run_id in runs)
    assert "3 shoes" in page and " cars" not in page


def test_photos_that_are_gone_cost_their_pictures_and_one_warning(
    runs: list[str], raw: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(raw)
    result = compare(tmp_path / "pictures", before=runs[1], after=runs[0])
    assert "3 of 3 photos are not drawn" in caplog.text
    assert list((tmp_path / "pictures").iterdir()) == []
    assert result["run_difference"].better == 1
