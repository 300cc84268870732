"""What a training starts from is settled before it is recorded."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import pytest
from click import ClickException
from kedro.pipeline import Node, Pipeline

from car_segmentation.hooks.config_loader import ProjectConfigLoader
from car_segmentation.hooks.session import Session
from car_segmentation.hooks.start_model import StartModel
from tests.support.projects import REPOSITORY

NAME = "cars"
TRAINS = Pipeline([Node(lambda start: start, "start_model", "network", name="build")])
REPORTS = Pipeline([Node(lambda model: model, "model", "report", name="report")])


@pytest.fixture
def registry(empty_database: Path, tmp_path: Path) -> Iterator[mlflow.MlflowClient]:
    """Two versions of a model, the first of them the champion."""
    shutil.copy(empty_database, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    for _ in range(2):
        client.create_model_version(NAME, str(tmp_path))
    client.set_registered_model_alias(NAME, "champion", "1")
    yield client
    mlflow.set_tracking_uri(None)


def begun(folder: Path, start: str | None, **given: Any) -> tuple[Session, ProjectConfigLoader]:
    """The session and the loader after the hook."""
    loader = ProjectConfigLoader(
        str(REPOSITORY / "conf"),
        base_env="base",
        default_run_env="local",
        runtime_params={"training": {"start_from": start}, **given},
    )
    context = SimpleNamespace(config_loader=loader, project_path=folder, env=None)
    session = Session()
    session.begin(context)
    StartModel(session).after_context_created(context)
    return session, loader


def test_an_alias_is_settled_for_all_that_is_recorded(registry, tmp_path: Path) -> None:
    session, loader = begun(tmp_path, f"models:/{NAME}@champion", seed=7)
    registry.set_registered_model_alias(NAME, "champion", "2")  # What was settled stays.
    version = f"models:/{NAME}/1"
    assert session.parameters.training.start_from == version
    assert session.written_parameters["training"]["start_from"] == version
    assert session.given_parameters == {"training": {"start_from": version}, "seed": 7}
    assert loader["parameters"]["training"]["start_from"] == version
    assert loader["catalog"]["start_model"]["path"] == version
    assert begun(tmp_path, f"models:/{NAME}@champion")[0].parameters.training.start_from == (
        f"models:/{NAME}/2"
    )


@pytest.mark.parametrize("start", [None, "m.keras", "runs:/0123/model", "models:/cars/2"])
def test_what_cannot_move_stays_as_it_is_given(tmp_path: Path, start: str | None) -> None:
    session, loader = begun(tmp_path, start)
    assert session.parameters.training.start_from == start
    assert loader["catalog"]["start_model"]["path"] == start


def test_an_unknown_alias_is_refused_in_a_sentence(registry, tmp_path: Path) -> None:
    with pytest.raises(ClickException, match=f"has no model models:/{NAME}@best") as refusal:
        begun(tmp_path, f"models:/{NAME}@best")
    assert "\n" not in refusal.value.message


def test_a_run_does_not_start_from_the_file_that_it_replaces(tmp_path: Path) -> None:
    own = "data/06_models/model.keras"
    for start in (own, str(tmp_path / own), (tmp_path / own).as_uri()):
        session, _ = begun(tmp_path, start)
        with pytest.raises(ClickException, match=r"model\.keras: this run saves its own model"):
            StartModel(session).before_pipeline_run(TRAINS)
        StartModel(session).before_pipeline_run(REPORTS)  # What it is a report of.
    for start in ("my.keras", "data/cpu/06_models/model.keras", "runs:/1/model", "s3://a/m.keras"):
        StartModel(begun(tmp_path, start)[0]).before_pipeline_run(TRAINS)
    StartModel(begun(tmp_path, None)[0]).before_pipeline_run(TRAINS)


def trained(folder: Path, start: str | None, **splits: str) -> str:
    """What MLflow has of a training, with the split of each car; the address of its model."""
    table = pd.DataFrame({"photo_id": list(splits), "car": list(splits), "split": splits.values()})
    table.to_csv(folder / "photo_splits.csv", index=False)
    with mlflow.start_run() as run:
        mlflow.log_param("training.start_from", start)
        mlflow.log_artifact(str(folder / "photo_splits.csv"))
    return f"runs:/{run.info.run_id}/model"


def test_cars_that_the_model_has_seen_are_named(registry, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    first = trained(tmp_path, None, a="train", b="train", c="test")
    second = trained(tmp_path, first, a="test", c="train", d="validation")
    version = registry.create_model_version(NAME, str(tmp_path), second.split("/")[1]).version
    photos = pd.DataFrame(
        {"car": list("aabcde"), "split": ["test", "test", "validation", "train", "test", "test"]}
    )
    for start, named in {
        first: "trained on 1 car of test and 1 car of validation, such as a: their",
        f"models:/{NAME}/{version}": "trained on 1 car of test and 1 car of validation, such as a",
        trained(tmp_path, "a.keras", c="train"): None,
        "a.keras": None,
        f"models:/{NAME}/1": None,  # Registered without a run.
    }.items():
        hook = StartModel(begun(tmp_path, start)[0])
        hook.before_pipeline_run(TRAINS)
        caplog.clear()
        for dataset in ("photos", "photo_splits", "photo_splits"):
            hook.after_dataset_loaded(dataset, photos)
        assert len(caplog.records) == (named is not None)
        assert named is None or named in caplog.text
        hook.before_pipeline_run(REPORTS)
        caplog.clear()
        hook.after_dataset_loaded("photo_splits", photos)
        assert not caplog.records
