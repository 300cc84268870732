"""`kedro run --pipelines=network_comparison` as a user runs it, killed in the middle once."""

import json

import mlflow
import pandas as pd
import pytest
import yaml

from car_segmentation.experiments.run_reading import PARENT
from tests.support.projects import Project

NETWORK = {"filters": [4, 8], "centre_filters": 8, "batch_norm_momentum": 0.5}
CANDIDATES = {
    "small": {"network": {"architecture": "segnet_unet", **NETWORK}},
    "large": {
        "network": {"architecture": "segnet_unet", **NETWORK},
        "training": {"epochs": 3},
        "full_width": {"filters": [8, 16]},
    },
}


def compare(project: Project, candidates: dict) -> None:
    comparison = {"minutes": None, "timed_steps": 1, "candidates": candidates}
    (project.path / "conf/tiny/parameters_comparison.yml").write_text(
        yaml.safe_dump({"network_comparison": comparison}, sort_keys=False)
    )


@pytest.mark.slow  # Its trainings, too, are in processes of their own.
def test_a_comparison_is_taken_up_where_it_was_killed(project: Project) -> None:
    compare(project, CANDIDATES)
    results = project.results / "08_reporting/network_comparison"
    project.kill("--pipelines=network_comparison", when=(results / "small.json").exists)
    small = (results / "small.json").read_text()

    output = project.succeed("--pipelines=network_comparison")
    assert "small (1 of 2) is finished already." in output
    assert "Training large (2 of 2)" in output
    for noise in ("Traceback", "oneDNN", "absl", "UserWarning"):
        assert noise not in output
    assert (results / "small.json").read_text() == small

    table = pd.read_csv(project.results / "08_reporting/network_table.csv", index_col="name")
    assert set(table.index) == {"small", "large"}
    assert table["epochs"].to_dict() == {"small": 2, "large": 3}
    assert table["full_width_parameters"]["large"] > table["parameters"]["large"]
    assert table["dice_mean"].is_monotonic_decreasing

    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation").experiment_id
    runs = client.search_runs([experiment])
    name = f"2 networks compared: {table.index[0]} is best"
    (parent,) = (r for r in runs if r.info.run_name == name and r.info.status == "FINISHED")
    assert PARENT not in parent.data.tags
    artifacts = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"network_table.csv", "network_table.json", "dice_against_cost.html"} <= artifacts
    children = {
        run.info.run_name: run for run in runs if run.data.tags.get(PARENT) == parent.info.run_id
    }
    assert set(children) == {"small", "large"}
    for name, child in children.items():
        assert child.info.status == "FINISHED"
        assert (
            child.data.metrics["test.dice_mean"]
            == json.loads((results / f"{name}.json").read_text())["dice_mean"]
        )
        history = client.get_metric_history(child.info.run_id, "val_dice")
        assert len(history) == table["epochs"][name]
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"network": {"architecture": "segmet"}}, "choose one of"),
        ({"network": {"architecture": "segnet", "space_to_depth": 2}}, "segnet has no such option"),
        ({"network": {"architecture": "segnet"}, "training": {"epochs": 0}}, "epochs = 0"),
        (
            {"network": {"architecture": "segnet"}, "training": {"start_from": "a.keras"}},
            "training.start_from = a.keras: comparisons of networks and searches train all from",
        ),
    ],
)
def test_mistakes_are_named_before_any_training(
    project: Project, candidate: dict, message: str
) -> None:
    compare(project, CANDIDATES | {"wrong": candidate})
    output = project.fail("--pipelines=network_comparison")
    assert message in output
    assert "Training small" not in output
