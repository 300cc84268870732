"""A training that starts from a trained model, in a copy of a project after a whole run."""

import json
import shutil
import signal
from pathlib import Path

import mlflow
import numpy as np
import pytest

from car_segmentation.networks.model_file import read_model
from car_segmentation.training.fingerprint import weights_digest
from tests.support.projects import Project

CHAMPION, VERSION = "models:/car_segmentation@champion", "models:/car_segmentation/1"


def last_run(project: Project) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation")
    return client.search_runs([experiment.experiment_id], max_results=1)[0]


def weights(project: Project, name: str) -> list[np.ndarray]:
    return read_model(project.results / f"06_models/{name}.keras").get_weights()


@pytest.mark.slow
def test_from_the_champion_and_what_is_recorded_of_it(project: Project) -> None:
    project.succeed("--pipelines=promotion")
    trained = read_model(project.results / "06_models/model.keras")
    start = f"--params=training.start_from={CHAMPION},training.epochs=1,training.learning_rate=1e-6"
    project.succeed("--pipelines=modelling", start)
    began = weights(project, "network")
    assert all(map(np.array_equal, began, trained.get_weights()))
    assert not all(map(np.array_equal, weights(project, "model"), began))  # It was trained.

    run = last_run(project)
    assert run.data.params["training.start_from"] == VERSION
    assert run.data.tags["started_from"] == VERSION
    assert run.data.tags["started_from_weights"] == weights_digest(trained)
    assert f"start_from={VERSION}" in run.info.run_name
    records = json.loads((project.results / "parameters.json").read_text())
    assert records["model"]["modelling"]["training.start_from"] == VERSION

    # The report is of this model while the alias is there, and no more when it has moved.
    report = ("--pipelines=reporting", "--to-nodes=predict_photos", start)
    project.succeed(*report)
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    client.set_registered_model_alias("car_segmentation", "champion", "2")
    assert f"training.start_from = {VERSION} (now models:/car_segmentation/2)" in project.fail(
        *report
    )


@pytest.mark.slow
def test_what_cannot_be_started_from_is_refused(project: Project, tmp_path: Path) -> None:
    model = project.results / "06_models/model.keras"
    copy = shutil.copy(model, tmp_path / "copy.keras")

    def refused(start: object, *others: str) -> str:
        given = ",".join([f"--params=training.start_from={start}", *others])
        return " ".join(project.fail("--pipelines=modelling", given).split())

    assert "this run saves its own model there" in refused(model)
    assert f"There is no model in {tmp_path}/none.keras" in refused(tmp_path / "none.keras")
    unknown = "runs:/0123456789abcdef0123456789abcdef/model"
    assert f"has no model {unknown} of this project" in refused(unknown)
    cut = tmp_path / "cut.keras"
    cut.write_bytes(model.read_bytes()[:999])
    assert f"{cut} is not a Keras model" in refused(cut)
    trained = read_model(model)
    kernel, *_ = trained.weights
    kernel.assign(np.full(kernel.shape, np.nan))
    trained.save(tmp_path / "nan.keras")
    assert "are not all finite" in refused(tmp_path / "nan.keras")
    wide = refused(copy, "network.centre_filters=16")
    assert f"training.start_from = {copy}: filters of its layer centre_1_conv is 8, and of" in wide


@pytest.mark.slow
def test_after_ctrl_c_it_resumes(project: Project, tmp_path: Path) -> None:
    copy = shutil.copy(project.results / "06_models/model.keras", tmp_path / "copy.keras")
    modelling = [
        "--pipelines=modelling",
        f"--params=training.start_from={copy},training.epochs=60,training.patience=60",
    ]
    checkpoints = project.results / "06_models/checkpoints"
    project.kill(*modelling, when=lambda: any(checkpoints.glob("*/best_*")), sign=signal.SIGINT)
    stopped = last_run(project)
    part = json.loads(project.read("06_models/history.json"))["val_loss"]
    assert "Resuming the training in" in project.succeed(*modelling)
    whole = json.loads(project.read("06_models/history.json"))["val_loss"]
    assert len(whole) == 60 > len(part)
    assert whole[: len(part)] == part
    assert last_run(project).info.run_id == stopped.info.run_id
