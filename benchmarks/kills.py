"""Whether `inference` survives being killed at any moment.

    python benchmarks/kills.py PROJECT PHOTOS

The code, the configuration and the model of PROJECT predict a folder of photos once undisturbed,
and once more under SIGKILL: ten runs are killed at random moments of their work, each is taken up
by the next, and the last one ends by itself. Every mask that a killed run leaves must be that of
the undisturbed run, byte for byte; no photo that was finished may be done again; at the end all
files must be the same, but for the column of seconds.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from car_segmentation.prediction.folder_job import JOURNAL_FILE, PREDICTIONS_FILE
from car_segmentation.prediction.photo_files import MASKS


def main() -> None:
    """Print a line for each kill, and whether all that was promised is true."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", type=Path, help="another model than the project's")
    parser.add_argument("--cluster", help="address of a Dask scheduler")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problems = _compare(arguments, Path(folder) / "undisturbed", Path(folder) / "killed")
    print("\n".join(problems) or "nothing was lost, halved or done twice: goals met")
    sys.exit(bool(problems))


def _compare(arguments: argparse.Namespace, undisturbed: Path, killed: Path) -> list[str]:
    start = time.perf_counter()
    working = _first_mask(_start(arguments, undisturbed), undisturbed, set())
    worked_from = time.perf_counter()
    _end(working, undisturbed)
    work = time.perf_counter() - worked_from
    expected = _masks(undisturbed)
    print(
        f"undisturbed: {len(expected)} masks, {worked_from - start:.1f} s until the first and "
        f"{work:.1f} s after it"
    )

    rng = random.Random(arguments.seed)
    moments = sorted(rng.uniform(0, work) for _ in range(arguments.kills))
    pauses = [moment - before for before, moment in zip([0.0, *moments], moments, strict=False)]
    problems: list[str] = []
    finished: dict[str, int] = {}
    for number, pause in enumerate(pauses, start=1):
        run = _first_mask(_start(arguments, killed), killed, set(_masks(killed)))
        time.sleep(pause)
        if run.poll() is not None:
            print(f"kill {number}: too late, all was done")
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        there = _masks(killed)
        problems += _wrong(there, expected)
        problems += _done_twice(killed, finished)
        finished = _finished(killed)
        print(
            f"kill {number}: {pause:5.1f} s after its first mask; {len(there)} masks are there, "
            f"{len(finished)} photos finished"
        )
    _end(_start(arguments, killed), killed)
    problems += _done_twice(killed, finished)
    return problems + _different(undisturbed, killed)


def _start(arguments: argparse.Namespace, predictions: Path) -> subprocess.Popen[bytes]:
    parameters = {"photos": arguments.photos.resolve(), "predictions": predictions}
    if arguments.model is not None:
        parameters["model"] = arguments.model.resolve()
    if arguments.cluster is not None:
        parameters["cluster"] = arguments.cluster
    given = ",".join(f"{name}={value}" for name, value in parameters.items())
    with _log(predictions).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", "--pipelines=inference", f"--params={given}"],
            cwd=arguments.project,
            env=os.environ | {"DO_NOT_TRACK": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _log(predictions: Path) -> Path:
    return predictions.with_suffix(".log")


def _first_mask(
    run: subprocess.Popen[bytes], predictions: Path, before: set[str]
) -> subprocess.Popen[bytes]:
    """Wait until a run has written a mask that was not there, or has ended."""
    while set(_names(predictions)) <= before and run.poll() is None:
        time.sleep(0.005)
    return run


def _end(run: subprocess.Popen[bytes], predictions: Path) -> None:
    if run.wait():
        sys.exit(_log(predictions).read_text())


def _names(predictions: Path) -> list[str]:
    return [path.name for path in (predictions / MASKS).glob("[!.]*")]


def _masks(predictions: Path) -> dict[str, bytes]:
    return {name: (predictions / MASKS / name).read_bytes() for name in _names(predictions)}


def _wrong(masks: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    return [
        f"{name} was left half-written, or is another mask"
        for name, content in masks.items()
        if content != expected.get(name)
    ]


def _finished(predictions: Path) -> dict[str, int]:
    """When the masks of finished photos were written."""
    lines = (predictions / JOURNAL_FILE).read_text().split("\n")[1:-1]
    names = [f"{Path(json.loads(line)['record']['photo']).stem}.png" for line in lines]
    return {name: (predictions / MASKS / name).stat().st_mtime_ns for name in names}


def _done_twice(predictions: Path, finished: dict[str, int]) -> list[str]:
    now = _finished(predictions)
    return [f"{name} was done twice" for name, when in finished.items() if now.get(name) != when]


def _different(one: Path, other: Path) -> list[str]:
    """What two predictions folders do not have in common."""
    files = [
        {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    ]
    problems = [f"{name} is in one folder alone" for name in files[0] ^ files[1]]
    problems += _wrong(_masks(other), _masks(one))
    tables = [pd.read_csv(folder / PREDICTIONS_FILE, dtype=str) for folder in (one, other)]
    if not tables[0].drop(columns="seconds").equals(tables[1].drop(columns="seconds")):
        problems.append(f"{PREDICTIONS_FILE} is not the same")
    if set(_finished(one)) != set(_finished(other)):
        problems.append(f"{JOURNAL_FILE} is not the same")
    return problems


if __name__ == "__main__":
    main()
