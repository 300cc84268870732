"""The review queue of new photos, after a whole run."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from car_segmentation.core.tables import read_table
from tests.support.projects import Project, mlflow_runs


def test_predictions_are_put_in_order(project: Project, tmp_path: Path) -> None:
    before = mlflow_runs(project)
    predictions = tmp_path / "new"
    project.predict(project.raw / "train", predictions, "inference.probability_maps=true")
    output = project.succeed(
        "--pipelines=review", f"--params=photos={project.raw / 'train'},predictions={predictions}"
    )
    queue = read_table(predictions / "review_queue.csv", text=["photo", "reason"])
    photos = pd.read_csv(predictions / "predictions.csv")["photo"]
    assert sorted(queue["photo"]) == sorted(photos)
    assert queue["order"].tolist() == list(range(1, len(photos) + 1))
    assert queue["expected_dice"].is_monotonic_increasing
    assert (queue["reason"] != "").all()
    assert mlflow_runs(project) == before
    assert f"Review: {predictions}/review.html" in output
    page = (predictions / "review.html").read_text(encoding="utf-8")
    assert page.count('loading="lazy"') == len(list((predictions / "review_thumbnails").iterdir()))


def test_a_folder_without_predictions_is_named(project: Project, tmp_path: Path) -> None:
    output = project.fail("--pipelines=review", f"--params=predictions={tmp_path / 'none'}")
    assert f"There are no predictions in {tmp_path / 'none'}" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_predictions_of_another_model_are_refused(project: Project, tmp_path: Path) -> None:
    """And those of the same model from the registry are not."""
    photos = project.raw / "train"
    own, other = tmp_path / "own", tmp_path / "other"
    project.predict(photos, own, "model=models:/car_segmentation@candidate")
    options = f"--params=photos={photos},predictions={own},review.mirrored=true"
    project.succeed("--pipelines=review", options)
    assert '"mirror_error"' in project.read("08_reporting/review_model.json")
    said = project.fail("--pipelines=review", f"{options},prediction.flip=true")
    assert "with prediction.flip a mirrored photo gets the same mask" in said
    models, untrained = project.results / "06_models", tmp_path / "untrained"
    untrained.mkdir()
    shutil.copy(models / "network.keras", untrained / "model.keras")
    shutil.copy(models / "threshold.json", untrained)
    project.predict(photos, other, f"model={untrained}/model.keras")
    said = project.fail("--pipelines=review", f"--params=photos={photos},predictions={other}")
    assert f"{other} holds predictions of another model" in said
