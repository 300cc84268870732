"""Projects that are copied: with a real database of MLflow's, so that a new schema is noticed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.experiments import artifact_paths
from car_segmentation.experiments.artifact_paths import PATHS, relocate


@pytest.fixture
def project(empty_database: Path, tmp_path: Path, monkeypatch) -> Path:
    """A project with a run that has an artifact and a registered model."""
    root = tmp_path / "first"
    root.mkdir()
    shutil.copy(empty_database, root / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    experiment = mlflow.create_experiment("cars", (root / "mlruns").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("0.99", "scores.txt")
        logged = mlflow.initialize_logged_model("model", source_run_id=run.info.run_id)
        client = mlflow.MlflowClient()
        client.create_registered_model("cars")
        client.create_model_version(
            "cars", logged.artifact_location, run.info.run_id, model_id=logged.model_id
        )
    yield root
    mlflow.set_tracking_uri(None)


def places(root: Path) -> list[str]:
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        rows = [
            place
            for table, column in PATHS
            for (place,) in connection.execute(f"SELECT {column} FROM {table}")
        ]
    return [place for place in rows if place and place.startswith("file:")]


def test_mlflow_has_these_tables_and_columns(project: Path) -> None:
    with closing(sqlite3.connect(project / "mlflow.db")) as connection:
        for table, column in PATHS:
            assert artifact_paths._has_column(connection, table, column), (table, column)
    assert len(places(project)) >= 4


def test_a_copy_has_its_own_artifacts_and_the_first_its(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "second place"
    shutil.copytree(project, copy)
    assert relocate(copy) == len(places(project))
    assert relocate(copy) == 0
    assert all(place.startswith((copy / "mlruns").as_uri()) for place in places(copy))
    assert all(place.startswith((project / "mlruns").as_uri()) for place in places(project))
    shutil.rmtree(project)
    mlflow.set_tracking_uri(f"sqlite:///{copy}/mlflow.db")
    (run,) = mlflow.search_runs(experiment_names=["cars"], output_format="list")
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/scores.txt") == "0.99"
    with mlflow.start_run(experiment_id=run.info.experiment_id):
        mlflow.log_text("0.98", "scores.txt")
    assert not project.exists()


def test_a_project_that_stayed_is_left_alone(project: Path) -> None:
    before = places(project)
    assert relocate(project) == 0
    assert places(project) == before


def test_artifacts_elsewhere_stay_there(project: Path, tmp_path: Path) -> None:
    elsewhere = (tmp_path / "bucket").as_uri()
    mlflow.create_experiment("elsewhere", elsewhere)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    relocate(copy)
    assert elsewhere in places(copy)


def test_without_a_database_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert relocate(tmp_path) == 0
    assert not (tmp_path / "mlflow.db").exists()


def test_an_empty_database_is_left_to_mlflow(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    assert relocate(tmp_path) == 0


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database, but text" * 100)
    with pytest.raises(UserError, match=r"mlflow\.db, which keeps all runs of MLflow"):
        relocate(tmp_path)
