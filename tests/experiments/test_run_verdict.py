import json
import logging
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from car_segmentation.evaluation.bootstrap import Difference, Interval
from car_segmentation.experiments import run_verdict as experiments
from car_segmentation.experiments.run_verdict import change_text, run_name, verdict

SUMMARY = {"dice_mean": 0.95, "edge_error_px": 1.25, "photos": 4}
CARS = ["x", "x", "y", "y"]


def difference(mean: float, interval: tuple[float, float] | None, better=2, worse=2) -> Difference:
    return Difference(mean, Interval(*interval) if interval else None, 4, 2, better, worse)


def scores(dice: list[float]) -> pd.DataFrame:
    photos = [f"{car}_{number:02d}" for number, car in enumerate(CARS)]
    views = [f"{number:02d}" for number in range(len(CARS))]
    table = {"photo_id": photos, "car": CARS, "view": views, "dice": dice}
    return pd.DataFrame(table).assign(edge_error_px=1.0)


@pytest.fixture
def database(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An MLflow database of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield
    mlflow.set_tracking_uri(None)


def make_run(
    dice: list[float], changed: str, environment: str = "demo", conclude: bool = True, **params
) -> mlflow.entities.Run:
    """Leave a run behind, concluded or not, and return it."""
    tags = {"environment": environment, "raw_data": "demo", "changed": changed}
    tags["mlflow.note.content"] = "Photos from there."
    with mlflow.start_run(run_name=changed, tags=tags) as run:
        mlflow.log_params(params)
        mlflow.log_metric("test.dice_mean", sum(dice) / len(dice))
        mlflow.log_text(scores(dice).to_csv(index=False), "photo_scores.csv")
        if conclude:
            experiments.annotate_with_verdict(SUMMARY, scores(dice), seed=1)
    return mlflow.get_run(run.info.run_id)


def test_a_name_begins_with_what_was_changed() -> None:
    changes = {"training.loss": "dice", "seed": 1}
    assert run_name("unet 96×64 demo", changes) == "loss=dice, seed=1 · unet 96×64 demo"
    assert run_name("unet 96×64 demo", {}) == "unet 96×64 demo"


@pytest.mark.parametrize(
    ("change", "answer", "words"),
    [
        (difference(0.01, (0.001, 0.02)), "yes", "Better: Dice +0.0100 (95%: +0.0010 to +0.0200)"),
        (difference(-0.01, (-0.02, -0.001)), "no", "Worse: Dice -0.0100"),
        (difference(0.01, (-0.001, 0.02)), "unsure", "No significant difference: Dice +0.0100"),
        (difference(0.01, (0.0, 0.02)), "unsure", "No significant"),
        (difference(0.01, None), "unsure", "No significant difference: Dice +0.0100"),
        (difference(0.0, (0.0, 0.0), 0, 0), "no change", "The same masks: Dice +0.0000"),
    ],
)
def test_whether_it_helped(change: Difference, answer: str, words: str) -> None:
    assert verdict(change) == answer
    assert change_text(change).startswith(words)


def test_a_first_run_has_nothing_to_be_held_against(database) -> None:
    run = make_run([0.9, 0.9, 0.9, 0.9], "nothing")
    assert "helped" not in run.data.tags
    assert set(run.data.metrics) == {"test.dice_mean"}
    assert run.data.tags["mlflow.note.content"] == (
        "Test Dice 0.9500, edge error 1.2 px, 4 photos.\n\nPhotos from there."
    )


def test_a_run_is_held_against_the_last_one_made_as_conf_says(database) -> None:
    make_run([0.5, 0.5, 0.5, 0.5], "nothing", conclude=False)
    make_run([0.2, 0.2, 0.2, 0.2], "nothing", environment="cpu", conclude=False)
    base = make_run([0.9, 0.9, 0.9, 0.9], "nothing", conclude=False, **{"training.loss": "bce"})
    make_run([0.1, 0.1, 0.1, 0.1], "training.epochs=1", conclude=False)
    run = make_run([0.92, 0.92, 0.96, 0.96], "training.loss=dice", **{"training.loss": "dice"})
    assert run.data.tags["compared_with"] == base.info.run_id
    assert run.data.tags["helped"] == "yes"  # Both cars gained.
    assert run.data.metrics["comparison.dice_change"] == pytest.approx(0.04)
    assert run.data.metrics["comparison.dice_change_low"] == pytest.approx(0.02)
    assert run.data.metrics["comparison.dice_change_high"] == pytest.approx(0.06)
    assert run.data.metrics["comparison.photos_better"] == 4
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("Better: Dice +0.0400 (95%: +0.0200 to +0.0600) against nothing (")
    assert "| training.loss | bce | dice |" in note
    assert note.endswith("Photos from there.")


def test_without_such_a_run_the_last_one_will_do(database) -> None:
    before = make_run([0.9, 0.9, 0.9, 0.9], "training.epochs=1", conclude=False)
    run = make_run([0.9, 0.9, 0.9, 0.9], "training.epochs=1")
    assert run.data.tags["compared_with"] == before.info.run_id
    assert run.data.tags["helped"] == "no change"
    assert "No parameter differs." in run.data.tags["mlflow.note.content"]


def test_scores_that_are_gone_cost_a_warning(database, caplog) -> None:
    base = make_run([0.9, 0.9, 0.9, 0.9], "nothing", conclude=False)
    shutil.rmtree(Path(base.info.artifact_uri.removeprefix("file://")))
    with caplog.at_level(logging.WARNING):
        run = make_run([0.9, 0.9, 0.9, 0.9], "training.epochs=1")
    assert "not compared with an earlier one" in caplog.text
    assert run.data.tags["mlflow.note.content"].startswith("Test Dice 0.9500")


def test_an_experiment_is_described_once(database) -> None:
    with mlflow.start_run() as run:
        experiments.describe_experiment()
        mlflow.MlflowClient().set_experiment_tag(
            run.info.experiment_id, "mlflow.note.content", "Mine."
        )
        experiments.describe_experiment()
    tags = mlflow.get_experiment(run.info.experiment_id).tags
    assert tags["mlflow.note.content"] == "Mine."
    view = json.loads(tags["mlflow.sharedViewState.what_helped"])
    assert isinstance(view["createdAt"], int)
    assert "metrics.`comparison.dice_change`" in json.loads(view["state"])["selectedColumns"]
