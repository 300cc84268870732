"""The default pipeline, once, on a few small discs."""

from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.projects import Project

PLOTS = ("learning_curves", "threshold_curve", "dice_histogram")


@pytest.fixture
def console(finished_project: Project) -> str:
    """What the run wrote."""
    return finished_project.console.read_text()


def test_it_ends_by_saying_what_came_out_and_where(finished_project: Project, console: str) -> None:
    assert f"Test Dice {finished_project.dice():.4f}" in console
    assert "data/tiny/08_reporting/error_maps" in console
    assert "make viz" in console
    assert "make mlflow" in console


def test_every_result_is_there(finished_project: Project) -> None:
    report = finished_project.results / "08_reporting"
    names = {path.name for path in report.iterdir()}
    assert names == {
        *(f"{plot}.{kind}" for plot in PLOTS for kind in ("html", "json")),
        *("augmentation_sheet.png", "data_sheet.png"),
        *("photo_scores.csv", "other_scores.csv", "score_summary.json", "score_table.csv"),
        *("upper_bound.json", "slices.csv", "car_colours.csv"),
        *("error_distances.csv", "error_regions.csv", "error_classes.csv"),
        *("calibration.csv", "calibration_errors.json"),
        *("mask_evidence.csv", "other_mask_evidence.csv"),
        *("label_errors.csv", "label_error_sheet.png"),
        *("error_maps", "error_panels", "worst_sheet.png", "random_sheet.png"),
        *("predicted_masks.csv.gz", "report.html"),
    }
    scores = pd.read_csv(report / "photo_scores.csv", dtype={"car": str})
    maps = sorted(path.stem for path in (report / "error_maps").iterdir())
    assert maps == [f"0{rank}_{scores['photo_id'][rank - 1]}" for rank in (1, 2)]
    assert scores["dice"].is_monotonic_increasing
    assert finished_project.dice() == pytest.approx(scores["dice"].mean())
    error_map = Image.open(report / "error_maps" / f"{maps[0]}.png")
    assert error_map.size == (64, 48 + 3 * 28)  # The native photo, and three lines of legend.


def test_whole_cars_are_in_one_split(finished_project: Project) -> None:
    splits = pd.read_csv(finished_project.results / "05_model_input/photo_splits.csv", dtype=str)
    assert splits.groupby("car")["split"].nunique().max() == 1
    assert set(splits["split"]) == {"train", "validation", "test"}
    assert splits.set_index("photo_id")["make"]["000000000001_02"] == "Saab"


def test_a_file_without_a_partner_is_counted_and_named(
    finished_project: Project, console: str
) -> None:
    assert "1 files were rejected and 12 pairs of photo and mask can be used" in console
    assert "no partner.jpg,has no mask" in finished_project.read(
        "02_intermediate/rejected_photos.csv"
    )


def test_nothing_useless_is_on_the_console(finished_project: Project, console: str) -> None:
    for noise in ("Traceback", "oneDNN", "cuInit", "type hints", "absl", "UserWarning"):
        assert noise not in console


def test_mlflow_has_it_all(finished_project: Project) -> None:
    assert not (finished_project.path / "src" / "mlflow.db").exists()
    client = mlflow.MlflowClient(f"sqlite:///{finished_project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation")
    (run,) = client.search_runs([experiment.experiment_id])
    params, metrics, tags = run.data.params, run.data.metrics, run.data.tags
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "segnet_unet 48×32 tiny"
    assert params["image.height"] == "32"
    assert params["training.learning_rate"] == "0.01"
    assert params["split.fractions.train"] == "0.7"
    assert metrics["test.dice_mean"] == pytest.approx(finished_project.dice())
    assert {"test.dice_median", "test.dice_worst", "test.edge_error_px"} <= set(metrics)
    history = client.get_metric_history(run.info.run_id, "val_dice")
    assert [point.step for point in history] == [0, 1]
    assert {"loss", "dice", "val_loss"} <= set(metrics)
    assert tags["architecture"] == "segnet_unet"
    assert tags["input_size"] == "48×32"
    assert tags["environment"] == "tiny"
    assert tags["mlflow.note.content"].endswith("Nothing changed for it.")
    assert "runner" not in tags
    assert "test.photos" not in metrics
    names = {entry.dataset.name for entry in run.inputs.dataset_inputs}
    assert names == {"discs train", "discs validation", "discs test"}
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {
        *("error_maps", "error_panels", "photo_scores.csv", "learning_curves.html", "report.html"),
        *("predicted_masks.csv.gz", "photo_splits.csv", "photo_scores.json"),
    } <= artifacts


def test_the_model_in_mlflow_predicts_the_same(finished_project: Project) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{finished_project.path}/mlflow.db")
    try:
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("car_segmentation")
        (logged,) = client.search_logged_models([experiment.experiment_id])
        model = mlflow.keras.load_model(logged.model_uri)
        info = mlflow.models.get_model_info(logged.model_uri)
        folder = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
    finally:
        mlflow.set_tracking_uri(None)
    assert info.signature.inputs.input_names() == ["photo"]
    assert info.saved_input_example_info is not None
    assert "keras==" in (folder / "requirements.txt").read_text()
    photos = np.load(finished_project.results / "05_model_input/photos/pixels.npy")[:2]
    local = keras.saving.load_model(finished_project.results / "06_models/model.keras")
    assert np.allclose(model.predict_on_batch(photos), local.predict_on_batch(photos))
