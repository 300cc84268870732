"""Runs that are killed, or meet a machine at its limits, at any node, and run again.

Every case is drawn by its number: the pipeline, the node, the kind of fault, and its moment. A run
that fails must end in one sentence without a traceback; after the mend, the same command must end
with the results of an undisturbed run.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.fault_hook import FILLER
from tests.support.projects import REPOSITORY, Project
from tests.support.small_disks import remount, small_disk

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("CAR_SEGMENTATION_FAULT_RUNS", "3"))
"""How many cases."""
NUMBERS: dict[str, Callable[[np.random.Generator], float]] = {
    "kill": lambda draw: draw.uniform(0, 1.5),  # seconds until then
    "disk": lambda draw: 10 ** draw.uniform(0, 6),  # bytes that are left
    "memory": lambda draw: 10 ** draw.uniform(0, 2.5),  # megabytes more than it has
    "inodes": lambda draw: draw.integers(8),  # files that are left
    "rename": lambda draw: draw.integers(4),  # files that still take their place
    "clock": lambda draw: draw.uniform(1, 400),  # days
    "database": lambda draw: 0,
    "terminate": lambda draw: draw.uniform(0, 1.5),
    "interrupt": lambda draw: draw.uniform(0, 1.5),
    "size": lambda draw: 10 ** draw.uniform(0, 6),  # bytes that a file may have
}
"""What happens, in turn, and how its number is drawn: see `fault_hook`."""
ON_A_SMALL_DISK = {"disk", "inodes"}
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


@pytest.fixture
def small_project(finished_project: Project, tmp_path: Path) -> Iterator[Project]:
    """A project that breaks where FAULT says, on a small disk; its console is on another."""
    with small_disk(tmp_path / "disk") as disk:
        yield with_faults(finished_project, disk / "project", tmp_path / "console.txt")


def with_faults(project: Project, path: Path, console: Path) -> Project:
    """A copy of a project that breaks where the variable FAULT says."""
    copy = project.copy(path)
    copy.console.unlink()
    copy.console.symlink_to(console)
    package = copy.path / "src/car_segmentation"
    shutil.copy(REPOSITORY / "tests/support/fault_hook.py", package / "fault_hook.py")
    with (package / "settings.py").open("a") as settings:
        settings.write(
            "\nfrom car_segmentation.fault_hook import Fault\nHOOKS = (*HOOKS, Fault())\n"
        )
    return copy


def results(folder: Path, project: Project) -> dict[str, Any]:
    """All files by name, but those that differ between any two runs; a project is called so."""
    place = str(project.path).encode()
    found: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes().replace(place, b"PROJECT")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in VARIES and path.name != ".in_use"
    }
    if (folder / "masks").exists():  # Of inference; its tables have the times that it took.
        return {name: content for name, content in found.items() if name.startswith("masks")}
    model = folder / "06_models/model.keras"
    if model.exists():
        weights = keras.saving.load_model(model).get_weights()
        found["weights"] = b"".join(array.tobytes() for array in weights)
    return found


class Disturbed:
    """A command that is disturbed, and run again.

    Args:
        project: Where it is run; what `__default__` made there is removed.
        finished: A project in which all is done.
        pipeline: Which is run, on the photos of the project.
        folder: For what inference writes undisturbed.
    """

    def __init__(self, project: Project, finished: Project, pipeline: str, folder: Path) -> None:
        self.project, self.outcome = project, project.results
        self.arguments = [f"--pipelines={pipeline}"]
        if pipeline == "inference":
            photos, self.outcome = project.raw / "train", project.path / "predictions"
            project.predict(photos, folder)
            self.expected = results(folder, project)
            self.arguments += [f"--params=photos={photos},predictions={self.outcome}"]
        else:
            self.expected = results(finished.results, finished)
            shutil.rmtree(project.results)

    def fail(self, **environment: str) -> str:
        """Run it in an environment; if it fails, it does so in one sentence. Return its console."""
        code = self.project.run(*self.arguments, **environment)
        console = self.project.console.read_text()
        about = f"{environment}: exit code {code}\n{console}"
        assert "Traceback" not in console, about
        if code > 0:
            assert console.count("Error: ") + console.count("Aborted!") == 1, about
        return console

    def check(self) -> None:
        """Run it again, undisturbed: the results are as if it had never been disturbed."""
        self.project.succeed(*self.arguments)
        found = results(self.outcome, self.project)
        assert found.keys() == self.expected.keys()
        assert [name for name in found if found[name] != self.expected[name]] == []
        assert not list(self.outcome.rglob(".*.part*"))


@pytest.mark.parametrize("number", range(RUNS))
def test_after_a_fault_the_same_command_ends_as_if_there_had_been_none(
    number: int, finished_project: Project, tmp_path: Path
) -> None:
    draw = np.random.default_rng(number)
    kind = list(NUMBERS)[number % len(NUMBERS)]
    pipeline = "inference" if draw.random() < 0.2 else "__default__"
    node, moment = draw.choice(NODES[pipeline]), NUMBERS[kind](draw)
    with ExitStack() as stack:
        path = tmp_path / "disk"
        if kind in ON_A_SMALL_DISK:
            stack.enter_context(small_disk(path))
        project = with_faults(finished_project, path / "project", tmp_path / "console.txt")
        command = Disturbed(project, finished_project, pipeline, tmp_path / "undisturbed")
        command.fail(FAULT=f"{kind} {node} {moment}")
        filler = project.path / FILLER
        if filler.is_dir():
            shutil.rmtree(filler)
        filler.unlink(missing_ok=True)
        command.check()


@pytest.mark.parametrize("pipeline", NODES)
def test_a_read_only_disk(
    pipeline: str, small_project: Project, finished_project: Project, tmp_path: Path
) -> None:
    command = Disturbed(small_project, finished_project, pipeline, tmp_path / "undisturbed")
    disk = small_project.path.parent
    remount(disk, "ro")
    console = command.fail()
    remount(disk, "rw")
    assert "read-only" in console
    command.check()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def enlarge(path: Path) -> None:
    with Image.open(path) as image:
        larger = image.resize((100, 80))
    larger.save(path)


@pytest.mark.parametrize("change", [Path.unlink, cut, enlarge], ids=["gone", "cut", "enlarged"])
@pytest.mark.parametrize("file", ["photo_path", "mask_path"])
def test_photos_that_change_between_steps(
    file: str, change: Callable[[Path], object], project: Project
) -> None:
    expected = results(project.results, project)
    table = pd.read_csv(project.results / "05_model_input/photo_splits.csv")
    photo = table[table["split"] == "test"].iloc[0]
    path = project.path / photo[file]
    content = path.read_bytes()
    change(path)
    console = project.fail("--pipelines=reporting")
    assert photo["photo_id"] in console
    path.write_bytes(content)
    project.succeed("--pipelines=reporting")
    assert results(project.results, project) == expected


@pytest.fixture(params=NODES)
def command(request: pytest.FixtureRequest, finished_project: Project, tmp_path: Path) -> Disturbed:
    """Each pipeline, in a project that breaks where FAULT says."""
    project = with_faults(finished_project, tmp_path / "project", tmp_path / "console.txt")
    return Disturbed(project, finished_project, request.param, tmp_path / "undisturbed")


def test_a_machine_without_shared_memory(command: Disturbed) -> None:
    pipeline = command.arguments[0].removeprefix("--pipelines=")
    console = command.fail(FAULT=f"shm {NODES[pipeline][0]} 0")
    assert "Error: " not in console
    command.check()


def test_a_machine_without_a_home_and_with_little_room_for_temporary_files(
    command: Disturbed, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "temporary", megabytes=1) as temporary:
        (temporary / "full").write_bytes(bytes(1 << 20))
        command.fail(HOME="/proc/nowhere", TMPDIR=str(temporary))
    command.check()


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
