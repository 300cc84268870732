"""The review queue of new photos, after a whole run."""

from pathlib import Path

import pandas as pd

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
