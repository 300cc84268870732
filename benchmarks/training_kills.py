"""Whether a training survives being killed at any moment.

    python benchmarks/training_kills.py FOLDER

FOLDER holds real photos in Kaggle's layout. Two copies of the project, each with a database of its
own, train the same small network on them: one undisturbed, one under SIGKILL, every second time
while a checkpoint is being written and otherwise at random moments. A killed training is taken up
by calling the same command again. After each kill all checkpoints must be readable; at the end the
model must have the weights of the undisturbed one, byte for byte, and MLflow one run with the same
curve.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mlflow.tracking import MlflowClient

from car_segmentation.parameters.merge import merge_parameters
from data_processing import PROJECT

CHECKPOINTS = "data/cpu/06_models/checkpoints"
MODEL = "data/cpu/06_models/model.keras"
CHANGED = {
    "pairing": {"max_cars": 8},
    "image": {"height": 160, "width": 256},
    "training": {
        "epochs": 4,
        "checkpoint_minutes": 0,  # After each batch.
        "stages": [
            {"end_fraction": 0.5, "mode": "resize", "height": 96, "width": 192},
            {"end_fraction": 1.0, "mode": "crop", "height": 160, "width": 192},
        ],
    },
}
"""Parameters of a training that takes a minute."""


def main() -> None:
    """Print a line for each kill, and whether all that was promised is true."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not any((arguments.raw_data / "train").glob("*.jpg")):
        sys.exit(f"Skipped: there are no photos in {arguments.raw_data}/train.")
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        _copy_project(undisturbed)
        _end(_start(undisturbed, "data_processing", arguments.raw_data), undisturbed)
        shutil.copytree(undisturbed, killed)
        problems = _train_twice(undisturbed, killed, arguments)
    print("\n".join(problems) or "nothing was lost or changed: goals met")
    sys.exit(bool(problems))


def _train_twice(undisturbed: Path, killed: Path, arguments: argparse.Namespace) -> list[str]:
    run = _start(undisturbed, "modelling", arguments.raw_data)
    _wait_for_write(run, undisturbed)
    began = time.perf_counter()
    _end(run, undisturbed)
    work = time.perf_counter() - began
    print(f"undisturbed: {work:.1f} s from the first checkpoint to the end")

    rng = random.Random(arguments.seed)
    problems: list[str] = []
    for number in range(1, arguments.kills + 1):
        run = _start(killed, "modelling", arguments.raw_data)
        _wait_for_write(run, killed)
        time.sleep(rng.uniform(0, work / arguments.kills))
        moment = "at a random moment"
        if number % 2 == 0:
            _wait_for_part(run, killed)
            moment = "while a checkpoint was written"
        if run.poll() is not None:
            problems.append(f"kill {number} came too late: the training had ended")
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        halves = len(list(killed.glob(f"{CHECKPOINTS}/*/.*.part.*")))
        problems += _unreadable(killed)
        print(f"kill {number}, {moment}: {_place(killed)}, {halves} half-written files set aside")
    _end(_start(killed, "modelling", arguments.raw_data), killed)
    if _weights(undisturbed) != _weights(killed):
        problems.append("the weights at the end are not those of the undisturbed training")
    one, other = _curves(undisturbed), _curves(killed)
    if len(other) != 1:
        problems.append(f"MLflow has {len(other)} runs in place of one")
    if one != other:
        problems.append("the curves in MLflow are not those of the undisturbed training")
    print(f"MLflow: {len(other)} run, {len(other[0]['loss'])} epochs, each once")
    return problems


def _copy_project(folder: Path) -> None:
    for name in ("conf", "src"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder)
    parameters: dict[str, Any] = CHANGED
    for file in (folder / "conf" / "cpu").glob("parameters*.yml"):
        parameters = merge_parameters(yaml.safe_load(file.read_text()), parameters)
        file.unlink()
    (folder / "conf" / "cpu" / "parameters.yml").write_text(yaml.safe_dump(parameters))


def _start(project: Path, pipeline: str, raw_data: Path) -> subprocess.Popen[bytes]:
    parameters = f"--params=raw_data={raw_data.resolve()}"
    command = ["run", "--env=cpu", f"--pipelines={pipeline}", parameters]
    with (project / "console.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", *command],
            cwd=project,
            env=os.environ | {"DO_NOT_TRACK": "1", "PYTHONPATH": str(project / "src")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(run: subprocess.Popen[bytes], project: Path) -> None:
    if run.wait():
        sys.exit((project / "console.log").read_text(errors="replace")[-2000:])


def _states(project: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in project.glob(f"{CHECKPOINTS}/*/last.npz")}


def _wait_for_write(run: subprocess.Popen[bytes], project: Path) -> None:
    """Wait until a run has written a checkpoint, or has ended."""
    before = _states(project)
    while _states(project) == before and run.poll() is None:
        time.sleep(0.005)


def _wait_for_part(run: subprocess.Popen[bytes], project: Path) -> None:
    """Wait until a run is writing a checkpoint, or has ended."""
    while run.poll() is None and not any(project.glob(f"{CHECKPOINTS}/*/.*.part.*")):
        pass


def _unreadable(project: Path) -> list[str]:
    problems = []
    for path in project.glob(f"{CHECKPOINTS}/*/[!.]*.npz"):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                for name in arrays:
                    arrays[name]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            problems.append(f"{path.name} cannot be read: {error}")
    return problems


def _place(project: Path) -> str:
    """Where the last checkpoint is, in words."""
    from car_segmentation.training.checkpoints import Checkpoint

    for path in _states(project):
        with tempfile.TemporaryDirectory() as folder:  # Reading removes what is half-written.
            shutil.copy(path, folder)
            last = Checkpoint(Path(folder)).read_last()
        if last is not None:
            return f"epoch {last[0].epoch + 1}, {last[0].batches} batches done"
    return "no checkpoint yet"


def _weights(project: Path) -> bytes:
    with zipfile.ZipFile(project / MODEL) as model:
        return model.read("model.weights.h5")


def _curves(project: Path) -> list[dict[str, list[tuple[int, float]]]]:
    """For each run in MLflow, the metrics of its epochs."""
    client = MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [
        {
            name: sorted(
                (metric.step, metric.value)
                for metric in client.get_metric_history(run.info.run_id, name)
            )
            for name in run.data.metrics
            if name in ("loss", "dice", "val_loss", "val_dice")
        }
        for run in client.search_runs(experiments)
        if any(name == "loss" for name in run.data.metrics)
    ]


if __name__ == "__main__":
    main()
