"""A training that is stopped, in a copy of a project with its data."""

import json
import signal

import mlflow
import pytest

from tests.support.projects import Project, mlflow_runs

pytestmark = pytest.mark.slow  # Processes that are killed have their own imports.


def stop(project: Project, sign: signal.Signals) -> tuple[list[str], int]:
    """Stop a training in the middle; return its arguments, and how many runs there are now."""
    before = mlflow_runs(project)
    modelling = [
        "--pipelines=modelling",
        "--params=training.epochs=60,training.patience=60,training.checkpoint_minutes=0",
    ]
    checkpoints = project.results / "06_models/checkpoints"
    project.kill(*modelling, when=lambda: any(checkpoints.glob("*/best_*.npz")), sign=sign)
    assert mlflow_runs(project) == before + 1
    return modelling, before + 1


def curve(project: Project) -> tuple[mlflow.entities.Run, list[float]]:
    """The last run, and its validation losses."""
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation")
    run = client.search_runs([experiment.experiment_id], max_results=1)[0]
    points = client.get_metric_history(run.info.run_id, "val_loss")
    assert [point.step for point in points] == list(range(len(points)))
    return run, [point.value for point in points]


def test_killed_and_run_again_it_is_one_run_with_one_curve(project: Project) -> None:
    modelling, runs = stop(project, signal.SIGKILL)
    run, part = curve(project)
    assert run.info.status == "RUNNING"
    assert "Resuming the training in" in project.succeed(*modelling)
    assert mlflow_runs(project) == runs
    run, whole = curve(project)
    assert run.info.status == "FINISHED"
    assert whole[: len(part)] == part
    assert whole == json.loads(project.read("06_models/history.json"))["val_loss"]
    assert len(whole) == 60 > len(part)
    assert not list((project.results / "06_models/checkpoints").iterdir())


def test_ctrl_c_saves_the_best_model_and_says_so(project: Project) -> None:
    modelling, runs = stop(project, signal.SIGINT)
    history = json.loads(project.read("06_models/history.json"))["val_loss"]
    assert 1 <= len(history) < 60
    project.succeed(*modelling)
    assert mlflow_runs(project) == runs
    _, whole = curve(project)
    assert whole[: len(history)] == history
