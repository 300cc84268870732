"""`kedro run --pipelines=search` as a user runs it, killed in the middle once."""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import optuna
import pandas as pd
import pytest
import yaml

from car_segmentation.experiments.run_reading import PARENT
from tests.support.projects import Project

SEARCH = {
    "trials": 2,
    "minutes": None,
    "pruner": "median",
    "startup_trials": 5,
    "warmup_epochs": 1,
    "space": {
        "training.learning_rate": {"low": 1.0e-3, "high": 1.0e-1, "log": True},
        "network.filters": {"choices": [[4, 8], [4, 4]]},
    },
}


def search(project: Project, **changes: object) -> None:
    (project.path / "conf/tiny/parameters_search.yml").write_text(
        yaml.safe_dump({"search": SEARCH | changes}, sort_keys=False)
    )


def trials(file: Path) -> Iterator[optuna.trial.FrozenTrial]:
    if file.is_file():
        storage = f"sqlite:///{file}"
        for study in optuna.get_all_study_summaries(storage):
            yield from optuna.load_study(study_name=study.study_name, storage=storage).trials


@pytest.mark.slow  # Its trainings, too, are in processes of their own.
def test_a_search_is_taken_up_where_it_was_killed(project: Project) -> None:
    search(project)
    checkpoints = project.results / "06_models/search/checkpoints"
    project.kill("--pipelines=search", when=lambda: any(checkpoints.glob("*/last.npz")))
    (killed,) = trials(project.results / "06_models/search/trials.db")
    assert killed.state == optuna.trial.TrialState.RUNNING

    output = project.succeed("--pipelines=search")
    assert "Trial 0 was killed; its parameters are tried again." in output
    for noise in ("Traceback", "oneDNN", "absl", "UserWarning", "ExperimentalWarning"):
        assert noise not in output
    assert not checkpoints.exists()

    records = json.loads(project.read("08_reporting/search_records.json"))
    assert [record["state"] for record in records] == ["killed", "complete", "complete"]
    assert records[1]["retry_of"] == 0
    assert records[1]["values"] == records[0]["values"] != records[2]["values"]
    assert [record["epochs"] for record in records[1:]] == [2, 2]
    table = pd.read_csv(project.results / "08_reporting/search_trials.csv")
    assert table["trial"].tolist() == [0, 1, 2]
    assert (project.results / "08_reporting/trials.html").is_file()

    best = max(records[1:], key=lambda record: record["validation_dice"])
    parameters = yaml.safe_load(project.read("08_reporting/best_parameters.yml"))
    rate = best["values"]["training.learning_rate"]
    assert parameters["training"]["learning_rate"] == rate
    assert parameters["training"]["epochs"] == 2
    assert parameters["network"]["filters"] == best["values"]["network.filters"]

    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation").experiment_id
    runs = client.search_runs([experiment])
    finished = [r.info.run_name for r in runs if r.info.status == "FINISHED"]
    (name,) = (name for name in finished if name.startswith("3 trials: learning_rate="))
    (parent,) = (r for r in runs if r.info.run_name == name and PARENT not in r.data.tags)
    assert parent.data.metrics["validation.dice_mean"] == best["validation_dice"]
    assert {"search_trials.csv", "trials.html", "best_parameters.yml"} <= {
        artifact.path for artifact in client.list_artifacts(parent.info.run_id)
    }
    children = {r.info.run_id: r for r in runs if r.data.tags.get(PARENT) == parent.info.run_id}
    statuses = [children[record["run_id"]].info.status for record in records]
    assert statuses == ["KILLED", "FINISHED", "FINISHED"]
    for record in records[1:]:
        child = children[record["run_id"]]
        assert child.data.metrics["validation.dice_mean"] == record["validation_dice"]
        assert child.data.tags["trial_state"] == "complete"
        written = child.data.params["training.learning_rate"]
        assert float(written) == record["values"]["training.learning_rate"]
        assert len(client.get_metric_history(child.info.run_id, "val_dice")) == 2


def test_a_network_that_cannot_be_is_named_before_any_training(project: Project) -> None:
    search(project, space={"network.colour": {"choices": ["red"]}})
    output = project.fail("--pipelines=search")
    assert "search.space: network.colour" in output
    assert "of 2)" not in output
