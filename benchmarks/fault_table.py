"""What a user sees of each fault, in two versions of the project.

    python benchmarks/fault_table.py --before CLONE

In a small finished project of each version, every case damages something (state files, photos,
models, names of files, the machine), calls one `kedro run`, and writes a row of a Markdown table to
standard output: how the run ended, its exit code, and the line that a user sees. Old parameters
that a version does not know are left out. Needs the right to mount a small disk.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fault_cases import PREDICT, RESUMED, Case, all_cases

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.kedro_server import kedro_server
from tests.support.photos import write_cars
from tests.support.projects import TINY, TINY_TRAINING
from tests.support.small_disks import small_disk

ROOT = Path(__file__).parents[1]
KEDROS_OWN = "Workflow tracking is disabled"
"""Begins a warning of Kedro-Viz's about each run of a part of a pipeline."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        how: A word or two, to be counted.
        code: Its exit code; negative: the signal that ended it.
        line: What a user sees.
    """

    how: str
    code: int
    line: str

    def __str__(self) -> str:
        line = re.sub(r"[`\x00-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], self.line)
        line = line.replace("|", "¦")
        return f"{self.how} ({self.code}): `{line[:220]}`"


class Version:
    """A small finished project of one version."""

    def __init__(self, checkout: Path, folder: Path, seconds: int) -> None:
        self.seconds = seconds
        self.console = folder / "console.txt"
        self.project, self._template = folder / "project", folder / "template"
        with self._on_a_disk():
            self._fill(checkout)
            shutil.copytree(self.project, self._template, symlinks=True)

    def _fill(self, checkout: Path) -> None:
        project = self.project
        for name in ("conf", "src"):
            shutil.copytree(checkout / name, project / name, dirs_exist_ok=True)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(checkout / name, project)
        shutil.copy(ROOT / "tests/support/fault_hook.py", project / "src/car_segmentation")
        with (project / "src/car_segmentation/settings.py").open("a") as settings:
            settings.write("\nfrom car_segmentation.fault_hook import Fault\n")
            settings.write("HOOKS = (*HOOKS, Fault())\n")
        tiny = project / "conf/tiny"
        tiny.mkdir()
        (project / "conf/local").mkdir(exist_ok=True)
        (tiny / "globals.yml").write_text("raw_data: data/01_raw/discs\n")
        (tiny / "parameters.yml").write_text(yaml.safe_dump(self._parameters()))
        write_cars(project / "data/01_raw/discs", cars=6, views=2)
        for command in ((), PREDICT):
            if self._run(command, {}, 600):
                sys.exit(self.console.read_text())
        self._run(RESUMED, {"FAULT": "rename train_network 4"}, 600)

    def _parameters(self) -> dict[str, Any]:
        """Whole groups, of what this version knows: an environment may replace those of `base`."""
        groups: dict[str, Any] = {}
        for path in sorted((self.project / "conf/base").glob("parameters*.yml")):
            groups |= yaml.safe_load(path.read_text()) or {}
        return {
            group: groups[group] | {key: v for key, v in values.items() if key in groups[group]}
            for group, values in (TINY | {"training": TINY_TRAINING}).items()
        }

    def _on_a_disk(self) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(small_disk(self.project, megabytes=200))
        return stack

    def _run(self, command: Iterable[str], variables: dict[str, str], seconds: int) -> int:
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "FAULT")}
        given = inherited | {"COLUMNS": "1000", "DO_NOT_TRACK": "1"} | variables
        return kedro_server().run(
            ["run", "--env=tiny", *command], self.project, given, self.console, seconds
        )

    def meet(self, case: Case) -> Outcome:
        """How the run of a case ends."""
        with self._on_a_disk(), ExitStack() as stack:
            shutil.copytree(self._template, self.project, symlinks=True, dirs_exist_ok=True)
            try:
                case.prepare(self.project, stack)
            except LookupError:
                return Outcome("does not exist", 0, "there is no such file")
            code = self._run(case.command, case.variables, self.seconds)
            console = self.console.read_text(errors="replace")
            line = last_line(console).replace(str(self.project), "PROJECT")
            if code == -signal.SIGALRM:
                return Outcome("hangs", code, f"nothing for {self.seconds} s")
            if "Traceback" in console:
                return Outcome("traceback", code, line)
            if code:
                return Outcome("one sentence" if code > 0 else "killed", code, line)
            if case.shown:
                line = case.shown(self.project).replace(str(self.project), "PROJECT")
            return Outcome("goes on", 0, line)


def last_line(console: str) -> str:
    """The error of a run, else its last warning, else its last line if it failed."""
    lines = [" ".join(line.split()) for line in console.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("Error: ", "Aborted!"))]
    if errors or "Traceback" in console:
        return (errors or lines)[-1]
    warnings = [line.split("WARNING ", 1)[1] for line in lines if "WARNING " in line]
    warnings = [warning for warning in warnings if not warning.startswith(KEDROS_OWN)]
    return warnings[-1] if warnings else "(nothing is said)"


def main() -> None:
    """Write a row for each case, and count how they ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout to compare with")
    parser.add_argument("--only", default="", help="cases whose kind and name match this")
    parser.add_argument("--seconds", type=int, default=60, help="after which a run hangs")
    arguments = parser.parse_args()
    counts: dict[str, Counter[str]] = {"before": Counter(), "after": Counter()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "models"
        models.mkdir()
        cases = all_cases(models)
        cases = [case for case in cases if re.search(arguments.only, f"{case.kind} {case.name}")]
        versions = {}
        for which, checkout in (("before", arguments.before), ("after", ROOT)):
            (folder / which).mkdir()
            versions[which] = Version(checkout.resolve(), folder / which, arguments.seconds)
        print("| | fault | before | after |\n|---|---|---|---|", flush=True)
        for case in cases:
            outcomes = {which: version.meet(case) for which, version in versions.items()}
            for which, outcome in outcomes.items():
                counts[which][outcome.how] += 1
            cells = " | ".join(map(str, outcomes.values()))
            print(f"| {case.kind} | {case.name} | {cells} |", flush=True)
    print()
    for which, counted in counts.items():
        print(f"{which}: " + ", ".join(f"{n} {how}" for how, n in counted.most_common()))


if __name__ == "__main__":
    main()
