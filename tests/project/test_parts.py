"""Each pipeline alone, and slices of them, after a whole run; the Dice stays the same."""

import pandas as pd
import pytest

from tests.support.projects import Project


@pytest.mark.slow
def test_modelling_then_reporting_alone_give_the_same_dice(project: Project) -> None:
    before = project.dice()
    history = project.read("06_models/history.json")
    for pipeline in ("modelling", "reporting"):
        project.succeed(f"--pipelines={pipeline}")
    assert project.dice() == before
    assert project.read("06_models/history.json") == history


@pytest.mark.parametrize(
    "slice_of_the_graph",
    [
        pytest.param(("--from-nodes=choose_threshold",), marks=pytest.mark.slow),
        ("--from-nodes=split_cars", "--to-nodes=augment"),
        ("--to-nodes=resize_masks",),
        ("--tags=pictures",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_slices(project: Project, slice_of_the_graph: tuple[str, ...]) -> None:
    before = project.dice()
    project.succeed(*slice_of_the_graph)
    assert project.dice() == before


@pytest.mark.slow
def test_the_last_two_runs_are_compared(project: Project) -> None:
    project.succeed("--pipelines=reporting")
    console = project.succeed("--pipelines=run_comparison")
    assert "data/tiny/08_reporting/run_comparison.html" in console
    changes = pd.read_csv(project.results / "08_reporting/run_comparison.csv")
    assert len(changes) > 1
    assert (changes["change"] == 0).all()  # It was the same model.


def test_data_processing_imports_neither_tensorflow_nor_the_report(project: Project) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kedro.framework.session import KedroSession\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "bootstrap_project(Path.cwd())\n"
        "with KedroSession.create(env='tiny') as session:\n"
        "    session.run(pipeline_names=['data_processing'])\n"
        "unwanted = {'tensorflow', 'keras', 'jax', 'torch',\n"
        "  'car_segmentation.report.evaluation_report'}\n"
        "print(sorted(unwanted & set(sys.modules)))\n"
    )
    console = project.python("-c", script)
    assert console.strip().endswith("[]"), console


def test_a_named_server_that_is_away_costs_one_message(project: Project) -> None:
    console = project.succeed("--nodes=summarise_scores", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert console.count("http://127.0.0.1:9 does not answer") == 1
    assert "Traceback" not in console
