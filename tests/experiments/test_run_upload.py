import logging
import math
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow.entities import Metric

from car_segmentation.__main__ import main
from car_segmentation.core.errors import UserError
from car_segmentation.experiments import run_upload, tracking
from car_segmentation.experiments.run_reading import PARENT
from car_segmentation.experiments.run_upload import UPLOADED_FROM, Uploaded, upload_run
from car_segmentation.experiments.tracking_server import LocalStore, fall_back_to
from tests.support.http_servers import Answer, http_server


@pytest.fixture
def stores(empty_database: Path, tmp_path: Path) -> tuple[str, str]:
    """Two databases of MLflow: the project's own, and one in place of a server's."""
    addresses = []
    for name in ("project", "server"):
        (tmp_path / name).mkdir()
        shutil.copy(empty_database, tmp_path / name / "mlflow.db")
        addresses.append(f"sqlite:///{tmp_path}/{name}/mlflow.db")
    own, server = addresses
    mlflow.MlflowClient(own).create_experiment("cars", (tmp_path / "project/mlruns").as_uri())
    mlflow.MlflowClient(server).create_experiment("cars", (tmp_path / "server/mlruns").as_uri())
    return own, server


@pytest.fixture
def local_run(stores: tuple[str, str], tmp_path: Path) -> str:
    """A finished run with 150 parameters, a curve of 1,200 points, and files."""
    client = mlflow.MlflowClient(stores[0])
    experiment = client.get_experiment_by_name("cars").experiment_id
    run_id = client.create_run(experiment, start_time=1000, run_name="tried").info.run_id
    for number in range(150):
        client.log_param(run_id, f"group.{number}", number)
    points = [Metric("loss", 1 / (step + 1), 2000 + step, step) for step in range(1200)]
    for start in (0, 600):
        client.log_batch(run_id, metrics=points[start : start + 600])
    client.set_tag(run_id, "environment", "cpu")
    (tmp_path / "scores.csv").write_text("photo_id,dice\na,0.5\n")
    client.log_artifact(run_id, str(tmp_path / "scores.csv"), "tables")
    client.set_terminated(run_id, "FINISHED", 5000)
    return run_id


def test_all_of_a_run_is_copied_once(stores: tuple[str, str], local_run: str) -> None:
    own, server = stores
    uploaded = upload_run(local_run[:8], own, server)
    assert not uploaded.was_there
    copy_id = uploaded.run_id
    there = mlflow.MlflowClient(server)
    original, copy = mlflow.MlflowClient(own).get_run(local_run), there.get_run(copy_id)
    assert copy.data.params == original.data.params
    assert copy.data.metrics == original.data.metrics == {"loss": 1 / 1200}
    assert len(there.get_metric_history(copy_id, "loss")) == 1200
    assert copy.data.tags["environment"] == "cpu"
    assert copy.data.tags[UPLOADED_FROM] == local_run
    info = copy.info
    assert (info.run_name, info.status, info.start_time, info.end_time) == (
        *("tried", "FINISHED", 1000, 5000),
    )
    file = mlflow.artifacts.download_artifacts(
        run_id=copy_id, artifact_path="tables/scores.csv", tracking_uri=server
    )
    assert Path(file).read_text() == "photo_id,dice\na,0.5\n"
    assert upload_run(local_run, own, server) == Uploaded(copy_id, was_there=True)
    assert len(there.search_runs([info.experiment_id])) == 1


def test_an_upload_that_was_interrupted_is_completed(
    stores: tuple[str, str], local_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, server = stores

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_upload, "_artifacts", fail)
        with pytest.raises(KeyboardInterrupt):
            upload_run(local_run, own, server)
    uploaded = upload_run(local_run, own, server)
    assert not uploaded.was_there
    copy_id = uploaded.run_id
    there = mlflow.MlflowClient(server)
    copy = there.get_run(copy_id)
    assert copy.info.status == "FINISHED"
    assert len(there.get_metric_history(copy_id, "loss")) == 1200
    assert [file.path for file in there.list_artifacts(copy_id)] == ["tables"]
    assert len(there.search_runs([copy.info.experiment_id])) == 1


def test_the_model_of_a_run_becomes_its_artifact(stores: tuple[str, str], local_run: str) -> None:
    class Double(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return 2 * model_input

    own, server = stores
    mlflow.set_tracking_uri(own)
    try:
        with mlflow.start_run(local_run):
            mlflow.pyfunc.log_model(name="model", python_model=Double())
        copy_id = upload_run(local_run, own, server).run_id
        mlflow.set_tracking_uri(server)
        assert mlflow.pyfunc.load_model(f"runs:/{copy_id}/model").predict([3]) == [3, 3]
    finally:
        mlflow.set_tracking_uri(None)


def test_what_cannot_be_uploaded_is_said_in_a_sentence(
    stores: tuple[str, str], local_run: str
) -> None:
    own, server = stores
    with pytest.raises(UserError, match="no run has an id that begins with 'zzz'"):
        upload_run("zzz", own, server)
    client = mlflow.MlflowClient(own)
    client.update_run(local_run, status="RUNNING")
    with pytest.raises(UserError, match=r"tried \(.*\) has not ended yet"):
        upload_run(local_run, own, server)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "MLFLOW_TRACKING_PASSWORD"), (502, "error 502")]
)
def test_a_server_that_does_not_take_it_is_explained(
    stores: tuple[str, str], local_run: str, status: int, says: str, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with http_server(Answer(status, b"no")) as uri, pytest.raises(UserError, match=says):
        upload_run(local_run, stores[0], uri)


def test_the_command(
    stores: tuple[str, str], local_run: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path / "project")
    command = ["car_segmentation", "upload-run", local_run, "--to", stores[1]]
    monkeypatch.setattr(sys, "argv", command)
    main()
    assert "The run is there now, as " in capsys.readouterr().out
    main()
    assert "The run was there before, as " in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"There is no mlflow\.db here"):
        main()


def test_the_runs_under_a_run_are_copied_with_it(stores: tuple[str, str], local_run: str) -> None:
    own, server = stores
    here, there = mlflow.MlflowClient(own), mlflow.MlflowClient(server)
    experiment = here.get_experiment_by_name("cars").experiment_id
    children = []
    for name in ("unet", "fcn8s"):
        child = here.create_run(experiment, run_name=name, tags={PARENT: local_run}).info.run_id
        here.log_metric(child, "test.dice_mean", 0.5)
        here.set_terminated(child)
        children.append(child)
    alone = upload_run(children[0], own, server)
    assert PARENT not in there.get_run(alone.run_id).data.tags
    uploaded = upload_run(local_run, own, server)
    assert (uploaded.was_there, uploaded.children) == (False, 2)
    copies = there.search_runs(["1"], f"tags.`{PARENT}` = '{uploaded.run_id}'")
    assert {copy.info.run_name for copy in copies} == {"unet", "fcn8s"}
    assert {copy.data.tags[UPLOADED_FROM] for copy in copies} == set(children)
    assert [copy.data.metrics for copy in copies] == [{"test.dice_mean": 0.5}] * 2
    assert upload_run(local_run, own, server) == Uploaded(uploaded.run_id, True, 2)
    assert len(there.search_runs(["1"])) == 3
    here.update_run(children[1], status="RUNNING")
    with pytest.raises(UserError, match=r"fcn8s \(.*\) has not ended yet"):
        upload_run(local_run, own, server)


class Server:
    """MLflow's own server on loopback, with proxied artifacts; it can be stopped and started."""

    def __init__(self, folder: Path, database: Path):
        self._folder = folder
        folder.mkdir()
        shutil.copy(database, folder / "server.db")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", "--workers=1"]
        command += [
            f"--port={self.port}",
            f"--backend-store-uri=sqlite:///{self._folder}/server.db",
        ]
        command += [f"--artifacts-destination={self._folder}/artifacts"]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(600):
            time.sleep(0.2)
            try:
                if requests.get(f"{self.uri}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                continue
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture
def real_server(tmp_path: Path, empty_database: Path) -> Iterator[Server]:
    server = Server(tmp_path / "real", empty_database)
    server.start()
    yield server
    server.stop()


@pytest.mark.slow
def test_a_run_that_lost_its_server_in_the_middle_is_completed_there(
    tmp_path: Path,
    empty_database: Path,
    real_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    fall_back_to(LocalStore(tmp_path, "cars"))
    mlflow.set_tracking_uri(real_server.uri)
    try:
        experiment = mlflow.create_experiment("cars")
        lost = mlflow.start_run(experiment_id=experiment, run_name="tried").info.run_id
        mlflow.log_param("training.loss", "dice")
        tracking.log_epoch(0, {"loss": 0.5})
        real_server.stop()
        with caplog.at_level(logging.WARNING):
            tracking.log_epoch(1, {"loss": 0.25})
        mlflow.log_param("training.loss", "dice")
        mlflow.log_metric("test.dice", math.nan)
        mlflow.log_text("photo_id,dice", "scores.csv")
        local = tracking.run_id()
        assert local is not None and local != lost
        assert f"python -m car_segmentation upload-run {local} --to" in caplog.text
        mlflow.end_run()
    finally:
        tracking.abandon_runs("FAILED")
        mlflow.set_tracking_uri(None)
        fall_back_to(None)
    own = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(UserError, match=r"does not answer\. .* or name another with --to"):
        upload_run(local, own, real_server.uri)
    real_server.start()
    there = mlflow.MlflowClient(real_server.uri)
    place = tmp_path / "real/artifacts"
    place.write_text("in the way")  # So that artifacts are refused, by an error of the server.
    with pytest.raises(UserError, match=r"did not take the run .* continues the upload"):
        upload_run(local, own, real_server.uri)
    assert there.get_run(lost).info.status == "RUNNING"
    place.unlink()
    assert upload_run(local, own, real_server.uri) == Uploaded(lost, was_there=False)
    assert upload_run(local, own, real_server.uri) == Uploaded(lost, was_there=True)
    copy = there.get_run(lost)
    assert copy.info.status == "FINISHED"
    assert "continues" not in copy.data.tags
    history = there.get_metric_history(lost, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.25)]
    assert math.isnan(copy.data.metrics["test.dice"])
    assert [file.path for file in there.list_artifacts(lost)] == ["scores.csv"]
    assert len(there.search_runs([experiment])) == 1


@pytest.mark.slow
def test_a_comparison_is_uploaded_to_a_real_server(
    tmp_path: Path, empty_database: Path, real_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its networks, as `network_comparison` and `search` log them, and a file of each."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    own = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    mlflow.set_tracking_uri(own)
    try:
        experiment = mlflow.create_experiment("cars", (tmp_path / "mlruns").as_uri())
        with mlflow.start_run(experiment_id=experiment, run_name="comparison") as parent:
            for name in ("unet", "fcn8s"):
                with tracking.child_run(name, name):
                    tracking.log_epoch(0, {"loss": 0.5})
                    mlflow.log_text("photo_id,dice", "scores.csv")
    finally:
        mlflow.set_tracking_uri(None)
    uploaded = upload_run(parent.info.run_id, own, real_server.uri)
    assert (uploaded.was_there, uploaded.children) == (False, 2)
    there = mlflow.MlflowClient(real_server.uri)
    experiments = [there.get_experiment_by_name("cars").experiment_id]
    children = there.search_runs(experiments, f"tags.`{PARENT}` = '{uploaded.run_id}'")
    assert {child.info.run_name: child.data.tags["architecture"] for child in children} == {
        "unet": "unet",
        "fcn8s": "fcn8s",
    }
    for child in children:
        assert (child.info.status, child.data.metrics) == ("FINISHED", {"loss": 0.5})
        assert [file.path for file in there.list_artifacts(child.info.run_id)] == ["scores.csv"]
    assert upload_run(parent.info.run_id, own, real_server.uri).was_there
