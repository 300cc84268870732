"""Small copies of the project, run as users run it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support.kedro_server import kedro_server
from tests.support.photos import write_cars

REPOSITORY = Path(__file__).parents[2]
TRACKING_URI = "MLFLOW_TRACKING_URI"

TINY_DEMO: dict[str, dict[str, dict[str, Any]]] = {
    "parameters_demo_photos.yml": {"demo_photos": {"cars": 12, "height": 64, "width": 96}},
    "parameters_data_processing.yml": {"image": {"height": 32, "width": 48}},
    "parameters_modelling.yml": {
        "network": {"filters": [4, 8], "centre_filters": 8, "batch_norm_momentum": 0.5},
        "training": {"epochs": 2, "batch_size": 32},
    },
    "parameters_reporting.yml": {
        "reporting": {"worst_photos": 2, "random_photos": 2, "label_errors": 2}
    },
}
"""What makes conf/demo a matter of seconds."""


TINY_DEMO_RUNS = (
    ["--pipelines=demo_photos"],
    [],
    ["--pipelines=modelling,reporting", "--params=training.learning_rate=0.02"],
)


def make_demo_project(project: Path) -> None:
    """Copy the project, make its demo tiny, and run it twice."""
    copy_code(project, "notebooks")
    for name, groups in TINY_DEMO.items():
        file = project / "conf" / "demo" / name
        parameters = yaml.safe_load(file.read_text()) if file.exists() else {}
        for group, values in groups.items():
            parameters[group] = parameters.get(group, {}) | values
        file.write_text(yaml.safe_dump(parameters))
    copy = Project(project)
    for arguments in TINY_DEMO_RUNS:
        copy.call_kedro("run", "--env=demo", *arguments)


TINY = {
    "image": {"height": 32, "width": 48},
    "network": {
        "architecture": "segnet_unet",
        "filters": [4, 8],
        "centre_filters": 8,
        "batch_norm_momentum": 0.5,
    },
    "reporting": {
        "worst_photos": 2,
        "random_photos": 3,
        "label_errors": 2,
        "include_train": False,
    },
}
TINY_TRAINING = {"epochs": 2, "batch_size": 4, "learning_rate": 0.01}


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    path: Path

    @property
    def raw(self) -> Path:
        """Where `conf/tiny` looks for photos and masks."""
        return self.path / "data/01_raw/discs"

    @property
    def results(self) -> Path:
        """The folder of 02_intermediate … 08_reporting."""
        return self.path / "data/tiny"

    @property
    def console(self) -> Path:
        """What the last run wrote, wide enough not to be wrapped."""
        return self.path / "console.txt"

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> int:
        """Call ``kedro run``, with the imports already made; return the exit code."""
        return kedro_server().run(
            ["run", "--env=tiny", *arguments],
            cwd or self.path,
            self.variables(**environment),
            self.console,
        )

    def succeed(self, *arguments: str, **environment: str) -> str:
        """Call ``kedro run``; return what it wrote."""
        code = self.run(*arguments, **environment)
        console = self.console.read_text()
        assert code == 0, console
        return console

    def call_kedro(self, *words: str) -> str:
        """Call another command of Kedro; return what it wrote."""
        code = kedro_server().run(list(words), self.path, self.variables(), self.console)
        console = self.console.read_text()
        assert code == 0, console
        return console

    def fail(self, *arguments: str) -> str:
        """Call ``kedro run``, which ends in one message without a traceback; return it."""
        code = self.run(*arguments)
        console = self.console.read_text()
        assert code == 1, console
        assert "Traceback" not in console
        assert console.count("Error: ") == 1, console
        return console

    def predict(self, photos: object, predictions: object, *options: str) -> str:
        """Call inference; return what it wrote."""
        parameters = ",".join([f"photos={photos}", f"predictions={predictions}", *options])
        return self.succeed("--pipelines=inference", f"--params={parameters}")

    def kill(
        self, *arguments: str, when: Callable[[], bool], sign: signal.Signals = signal.SIGKILL
    ) -> None:
        """Call ``kedro run`` and kill it, or send another signal, at a moment before its end."""
        server = kedro_server()
        process = server.start(
            ["run", "--env=tiny", *arguments], self.path, self.variables(), self.console
        )
        try:
            while not when():
                assert psutil.pid_exists(process), self.console.read_text()
                time.sleep(0.002)
            os.kill(process, sign)
        finally:
            code = server.answer()
        assert code == (-signal.SIGKILL if sign == signal.SIGKILL else 1)

    def variables(self, **environment: str) -> dict[str, str]:
        """The environment of its processes."""
        # MLflow's `set_tracking_uri`, which other tests call, writes the variable.
        inherited = {key: value for key, value in os.environ.items() if key != TRACKING_URI}
        variables = {**inherited, "COLUMNS": "1000", "DO_NOT_TRACK": "1", **environment}
        variables.pop("PYTHONPATH", None)
        return variables

    def python(self, *arguments: str, cwd: Path | None = None) -> str:
        """Call Python in a process that imports all that it needs; return what it wrote."""
        run = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.path,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert run.returncode == 0, run.stdout
        return run.stdout

    def copy(self, path: Path) -> "Project":
        """Copy it with its data and runs."""
        shutil.copytree(self.path, path)
        return Project(path)

    def read(self, name: str) -> str:
        """Read a result."""
        return (self.results / name).read_text()

    def dice(self) -> float:
        """The mean Dice of the test photos."""
        return json.loads(self.read("08_reporting/score_summary.json"))["dice_mean"]


def copy_code(path: Path, *folders: str) -> None:
    """Copy the project without its data."""
    ignore = shutil.ignore_patterns("*.egg-info", "local", ".ipynb_checkpoints")
    for folder in ("conf", "src", *folders):
        shutil.copytree(REPOSITORY / folder, path / folder, ignore=ignore)
    (path / "conf" / "local").mkdir()
    for file in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / file, path)


def make_project(path: Path) -> Project:
    """Copy the project, without data, with an environment `tiny` for discs of cars."""
    copy_code(path)
    tiny = path / "conf" / "tiny"
    tiny.mkdir()
    training = yaml.safe_load((path / "conf/base/parameters_modelling.yml").read_text())["training"]
    parameters = TINY | {"training": training | TINY_TRAINING}
    (tiny / "parameters.yml").write_text(yaml.safe_dump(parameters))
    (tiny / "globals.yml").write_text("raw_data: data/01_raw/discs\n")
    return Project(path)


def make_finished_project(path: Path) -> None:
    """Run the default pipeline in a copy of the project, called from a folder inside it."""
    project = make_project(path)
    write_cars(project.raw, cars=6, views=2)
    photos = project.raw / "train"
    shutil.copy(photos / "000000000000_01.jpg", photos / "no partner.jpg")
    (project.raw / "metadata.csv").write_text("id,year,make,model\n000000000001,2009,Saab,9-3\n")
    console = project.python("-m", "kedro", "run", "--env=tiny", cwd=path / "src")
    project.console.write_text(console)


def mlflow_runs(project: Project) -> int:
    """How many runs a project has."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
    experiment = client.get_experiment_by_name("car_segmentation")
    return len(client.search_runs([experiment.experiment_id]))
