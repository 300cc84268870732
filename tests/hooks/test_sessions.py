"""Several Kedro sessions in one process, as in notebooks and schedulers."""

import shutil

import mlflow
import pytest

from tests.support.projects import Project

SESSIONS = """
import json
from pathlib import Path
import click
import mlflow
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

bootstrap_project(Path.cwd())

def run(**given):
    nodes = given.pop("nodes")
    given["training"] = {"learning_rate": 0.02}  # That of the project's last run.
    with KedroSession.create(env="demo", runtime_params=given) as session:
        session.run(node_names=nodes)

run(nodes=["draw_error_maps"], reporting={"worst_photos": 1})
run(nodes=["split_cars"], image={"height": 32})  # Tracked too: a slice of __default__.
with KedroSession.create(env="demo") as session:
    session.run(pipeline_names=["data_processing"], node_names=["split_cars"])  # Not tracked.
scores = Path("data/demo/08_reporting/photo_scores.csv")
text = scores.read_text()
scores.write_text("")
try:
    run(nodes=["draw_error_maps"], reporting={"worst_photos": 2})
except BaseException as error:
    print(type(error).__name__)
scores.write_text(text)
with mlflow.start_run(run_name="of a scheduler"):
    run(nodes=["draw_error_maps"], reporting={"worst_photos": 3})
    assert mlflow.active_run().info.status == "RUNNING"
"""


@pytest.mark.slow
def test_each_is_a_run_of_its_own_with_its_parameters_and_its_end(demo_project, tmp_path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(demo_project, project.path)
    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation").experiment_id
    before = {run.info.run_id for run in client.search_runs([experiment])}
    project.python("-c", SESSIONS)
    runs = [run for run in client.search_runs([experiment]) if run.info.run_id not in before]
    runs.reverse()
    assert [run.data.params.get("reporting.worst_photos") for run in runs] == ["1", None, "2", "3"]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED", "FAILED", "FINISHED"]
    assert len({run.info.run_name for run in runs}) == len(runs)
    assert [run.data.tags["environment"] for run in runs] == ["demo"] * 4
