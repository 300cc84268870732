import logging
import socket
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from car_segmentation import tracking


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An active MLflow run in a database of its own."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        yield run
    mlflow.set_tracking_uri(None)


def test_sqlite_in_the_project_unless_a_server_is_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking.artifact_location(tmp_path) == f"file://{tmp_path}/mlruns"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking.tracking_uri(tmp_path) == "http://127.0.0.1:5000"
    assert tracking.artifact_location(tmp_path) is None


def test_a_server_answers_or_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert tracking.answers(f"http://127.0.0.1:{port}")
    assert not tracking.answers(f"http://127.0.0.1:{port}")
    assert tracking.answers("sqlite:////nowhere/mlflow.db")
    assert tracking.answers("")


def test_epochs_are_logged_as_steps(run) -> None:
    for epoch, loss in enumerate([0.5, 0.25]):
        tracking.log_epoch(epoch, {"loss": loss})
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.25)]


def test_a_failing_server_costs_a_warning_not_the_training(run, monkeypatch, caplog) -> None:
    def fail(*args, **kwargs):
        raise MlflowException("connection refused\nand a long story")

    monkeypatch.setattr(mlflow, "log_metrics", fail)
    with caplog.at_level(logging.WARNING):
        tracking.log_epoch(0, {"loss": 1.0})
    assert "did not take epoch 1; training goes on. (connection refused)" in caplog.text


def test_a_server_that_is_away_is_left_with_one_warning(run, monkeypatch, caplog) -> None:
    monkeypatch.setattr(tracking, "answers", lambda uri: False)
    with caplog.at_level(logging.WARNING):
        for epoch in range(3):
            tracking.log_epoch(epoch, {"loss": 1.0})
    assert caplog.text.count("has stopped answering: the run goes on without it") == 1
    assert not tracking.is_tracking()


def test_without_a_run_nothing_is_logged_nor_started() -> None:
    tracking.log_epoch(0, {"loss": 1.0})
    assert mlflow.active_run() is None


def test_the_photos_of_each_split_are_a_data_set(run) -> None:
    photos = pd.DataFrame(
        {
            "photo_id": ["a", "b", "c"],
            "car": ["x", "x", "y"],
            "view": ["01", "02", "01"],
            "height": 48,
            "width": 64,
            "foreground_share": 0.2,
            "split": ["train", "train", "test"],
        }
    )
    tracking.log_photos(photos, "/photos/studio")
    logged = mlflow.get_run(run.info.run_id)
    by_name = {entry.dataset.name: entry for entry in logged.inputs.dataset_inputs}
    assert set(by_name) == {"studio train", "studio test"}
    tags = {tag.key: tag.value for tag in by_name["studio train"].tags}
    assert tags == {"mlflow.data.context": "train", "photos": "2", "cars": "1"}
    assert "/photos/studio" in by_name["studio test"].dataset.source
    assert logged.data.tags["photos.train"] == "2 of 1 cars"
