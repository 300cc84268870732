import base64
import json
import logging
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.experiments import tracking, tracking_server
from car_segmentation.experiments.tracking_server import LocalStore, fall_back_to, server_problem
from tests.support.http_servers import Answer, http_server


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_sqlite_in_the_project_unless_a_server_is_named(monkeypatch, tmp_path: Path) -> None:
    assert tracking_server.tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking_server.artifact_location(tmp_path) == f"file://{tmp_path}/mlruns"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_server.tracking_uri(tmp_path) == "http://127.0.0.1:5000"
    assert tracking_server.artifact_location(tmp_path) is None


def test_a_server_that_lists_its_experiments_is_used() -> None:
    with http_server(Answer()) as uri:
        assert server_problem(uri) is None


@pytest.mark.parametrize("uri", ["sqlite:////nowhere/mlflow.db", "", "/a/folder", "databricks"])
def test_what_is_no_server_is_not_asked(uri: str) -> None:
    assert server_problem(uri) is None


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    problem = server_problem(f"http://user:secret@127.0.0.1:{port}")
    assert problem == (
        f"The MLflow server at http://127.0.0.1:{port} does not answer. Start the server, or unset "
        "MLFLOW_TRACKING_URI."
    )


FORBIDDEN = json.dumps({"error_code": "PERMISSION_DENIED", "message": "no"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b"You are not authenticated.", "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASS"),
        (403, b"Forbidden", "refuses this user (403)"),
        (403, FORBIDDEN, "refuses this user (403)"),
        (502, b"<html>Bad gateway</html>", "answers with error 502"),
        (503, b"", "answers with error 503"),
        (404, b"<html>Not found</html>", "does not respond like one"),
        (200, b"<html>Welcome</html>", "does not respond like one"),
        (302, b"", "does not respond like one"),
    ],
)
def test_a_server_that_takes_no_runs_is_explained_in_a_line(status, body, says: str) -> None:
    with http_server(Answer(status, body)) as uri:
        problem = server_problem(uri)
    assert problem is not None
    assert problem.startswith(f"The MLflow server at {uri} ")
    assert says in problem
    assert "\n" not in problem and len(problem) < 500
    assert "MLFLOW_TRACKING_URI" in problem


def test_the_password_is_sent_as_mlflow_sends_it(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    answer = Answer()
    with http_server(answer) as uri:
        assert server_problem(uri) is None
    expected = f"Basic {base64.b64encode(b'anna:secret').decode()}"
    assert answer.authorizations == [expected]


@pytest.fixture
def on_a_server(empty_database: Path, tmp_path: Path, monkeypatch):
    """A run that is active while its server begins to refuse it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path / "server.db")
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/server.db")
    run = mlflow.start_run(run_name="tried")
    mlflow.start_run(run.info.run_id, nested=True)  # As kedro-mlflow does for each node.
    monkeypatch.setattr(tracking, "server_problem", problem_of(tmp_path))
    yield run
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
    fall_back_to(None)


def problem_of(folder: Path):
    """Says that the server is gone, but nothing of the project's own database."""
    return lambda uri: "The server is gone." if uri.endswith("server.db") else None


def test_a_run_that_loses_its_server_goes_on_in_the_project(
    on_a_server, tmp_path: Path, caplog
) -> None:
    fall_back_to(LocalStore(tmp_path, "cars"))
    with caplog.at_level(logging.WARNING):
        for epoch in range(2):
            tracking.log_epoch(epoch, {"loss": 0.5})
    assert caplog.text.count("The server is gone.") == 1
    assert f"continues in sqlite:///{tmp_path}/mlflow.db" in caplog.text
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    tracking.describe_run("described", "", {"environment": "tiny"}, {})
    run = client.get_run(tracking.run_id())
    assert (run.info.run_name, run.data.tags["environment"]) == ("described", "tiny")
    assert run.data.tags["continues"] == on_a_server.info.run_id
    assert client.get_experiment(run.info.experiment_id).name == "cars"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [0, 1]


def test_a_process_without_a_project_goes_on_untracked(on_a_server, caplog) -> None:
    fall_back_to(None)
    with caplog.at_level(logging.WARNING):
        for epoch in range(2):
            tracking.log_epoch(epoch, {"loss": 0.5})
    assert caplog.text.count("continues without it") == 1
    assert not tracking.is_tracking()


CREATE = """
import sys
from car_segmentation.experiments.tracking_server import check_own_database
check_own_database(sys.argv[1], create=True)
"""


@pytest.mark.slow
def test_processes_that_make_the_database_at_once_wait_for_each_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, f"sqlite:///{tmp_path}/mlflow.db"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.wait(), process.stderr.read()[-300:])[0] for process in both] == [0, 0]
    assert len(mlflow.MlflowClient(command[-1]).search_experiments()) == 1


def test_a_locked_database_is_named_before_mlflow_waits_for_it(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking_server, "PATIENCE", 0.01)
    monkeypatch.setattr(mlflow, "MlflowClient", lambda uri: pytest.fail("MLflow is asked"))
    path = shutil.copy(empty_database, tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=rf"{path}, .* is locked.*: wait for its end"):
            server_problem(f"sqlite:///{path}")
