"""Runs that are killed at any node, and inference that meets a full disk, and run again.

Every case is drawn by its number: the pipeline, the node, the kind of fault, and its moment. After
the fault, the same command must end with the results of an undisturbed run.
"""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.projects import REPOSITORY, Project

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("CAR_SEGMENTATION_FAULT_RUNS", "3"))
"""How many cases."""
FAULTS = (("kill", "__default__"), ("kill", "inference"), ("rename", "inference"))
"""What happens to which pipeline, in turn."""
NUMBERS = {"kill": (0.0, 1.5), "rename": (0, 3)}
"""Between what the numbers of faults are drawn: seconds to the kill, files that still fit."""
NODES = {
    "__default__": (
        *("pair_photos_with_masks", "resize_masks", "check_photos_and_masks", "split_cars"),
        *("resize_photos", "show_data", "augment", "build_network", "train_network"),
        *("choose_threshold", "track_model", "predict_photos", "analyse_test_photos"),
        *("analyse_other_photos", "summarise_scores", "tabulate_scores", "measure_upper_bound"),
        *("slice_scores", "tabulate_error_classes", "find_label_errors", "track_scores"),
        *("record_predicted_masks", "plot_dice_histogram", "plot_learning_curves"),
        *("draw_error_maps", "draw_error_panels", "draw_sheets", "draw_label_errors"),
        "write_report",
    ),
    "inference": ("find_new_photos", "predict_new_photos"),
}
VARIES = {".html", ".keras", ".lock"}
"""Files with dates or random names in them; models are compared by their weights."""


def with_faults(project: Project, path: Path) -> Project:
    """A copy of a project that breaks where the variable FAULT says."""
    copy = project.copy(path)
    package = copy.path / "src/car_segmentation"
    shutil.copy(REPOSITORY / "tests/support/fault_hook.py", package / "fault_hook.py")
    with (package / "settings.py").open("a") as settings:
        settings.write(
            "\nfrom car_segmentation.fault_hook import Fault\nHOOKS = (*HOOKS, Fault())\n"
        )
    return copy


def results(folder: Path, project: Project) -> dict[str, bytes]:
    """All files by name, but those that differ between any two runs; a project is called so."""
    place = str(project.path).encode()
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(place, b"PROJECT")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in VARIES and path.name != ".in_use"
    }


def without_seconds(files: dict[str, bytes]) -> dict[str, bytes]:
    """Results of inference but for the times that it took."""
    return {name: content for name, content in files.items() if name.startswith("masks")}


@pytest.mark.parametrize("number", range(RUNS))
def test_after_a_fault_the_same_command_ends_as_if_there_had_been_none(
    number: int, finished_project: Project, tmp_path: Path
) -> None:
    rng = np.random.default_rng(number)
    kind, pipeline = FAULTS[number % len(FAULTS)]
    node = str(rng.choice(NODES[pipeline]))
    moment = rng.uniform(*NUMBERS[kind])
    project = with_faults(finished_project, tmp_path / "project")
    arguments = [f"--pipelines={pipeline}"]
    outcome = project.results
    if pipeline == "inference":
        outcome = tmp_path / "predictions"
        undisturbed = tmp_path / "undisturbed"
        photos = project.raw / "train"
        project.predict(photos, undisturbed)
        arguments += [f"--params=photos={photos},predictions={outcome}"]
    else:
        undisturbed = finished_project.results
        shutil.rmtree(project.results)

    code = project.run(*arguments, FAULT=f"{kind} {node} {moment}")
    console = project.console.read_text()
    about = f"{kind} at {node}, {moment:g}: exit code {code}\n{console}"
    assert "Traceback" not in console, about
    if code > 0:
        assert console.count("Error: ") == 1, about

    project.succeed(*arguments)
    expected = results(undisturbed, finished_project)
    found = results(outcome, project)
    if pipeline == "inference":
        expected, found = without_seconds(expected), without_seconds(found)
    assert found.keys() == expected.keys(), about
    assert [name for name in found if found[name] != expected[name]] == [], about
    assert not list(outcome.rglob(".*.part*")), about
    if pipeline == "__default__":
        models = (folder / "06_models/model.keras" for folder in (undisturbed, outcome))
        weights = [keras.saving.load_model(model).get_weights() for model in models]
        assert all(map(np.array_equal, *weights))


def test_every_node_may_break(finished_project: Project) -> None:
    script = (
        "from pathlib import Path\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "bootstrap_project(Path.cwd())\n"
        "from kedro.framework.project import pipelines\n"
        "for name in ('__default__', 'inference'):\n"
        "    print(name, *sorted(node.short_name for node in pipelines[name].nodes))\n"
    )
    lines = finished_project.python("-c", script).splitlines()
    found = {line.split()[0]: set(line.split()[1:]) for line in lines if line.split()[:1]}
    for pipeline, nodes in NODES.items():
        assert set(nodes) <= found[pipeline]
        assert found[pipeline] - set(nodes) <= {"draw_annotations"}
