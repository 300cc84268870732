"""Whether the project works with the newest versions of its dependencies.

    python benchmarks/newest_versions.py

installs the project into an environment of its own without requirements.lock, tells which packages
are newer than there, runs the fast tests with it, and removes it again. It takes some 3 GB of disk.
Arguments after -- are for pytest, in place of those of the fast tests.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
LISTED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
"""A line of a lock, or of ``pip freeze``."""


def main() -> None:
    """Install, tell what is newer, test; end with the tests' exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", default=["-m", "not slow"], help="arguments of pytest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "bin", "python"))
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-cache-dir",
            "--editable",
            ".[dev]",
        ]
        subprocess.run(install, cwd=PROJECT, check=True)
        installed = subprocess.run(
            [python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
        ).stdout
        _tell_newer(_versions(installed), _versions((PROJECT / "requirements.lock").read_text()))
        variables = {**os.environ, "DO_NOT_TRACK": "1"}
        tests = subprocess.run(
            [python, "-m", "pytest", "-q", *arguments.tests],
            cwd=PROJECT,
            env=variables,
            check=False,
        )
    sys.exit(tests.returncode)


def _versions(lines: str) -> dict[str, str]:
    """Version of each package, by its name as pip compares names."""
    return {re.sub("[-_.]+", "-", name).lower(): it for name, it in LISTED.findall(lines)}


def _tell_newer(installed: dict[str, str], locked: dict[str, str]) -> None:
    """Print a line for each package whose version is not the lock's."""
    for name, version in sorted(installed.items()):
        if locked.get(name) != version:
            print(f"{name} {version} (requirements.lock: {locked.get(name, 'none')})")


if __name__ == "__main__":
    main()
