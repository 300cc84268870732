"""The Dockerfile, which no test can build here: its steps are those of CI and of the docs."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.support.projects import REPOSITORY

BESIDE = {"model.keras", "threshold.json"}
"""Files that a user puts beside the Dockerfile."""
NOT_IN_AN_IMAGE = (
    *(".git/config", ".venv/bin/python", ".venv-3.12/bin/python", "conf/local/credentials.yml"),
    *("data/01_raw/carvana/train/a.jpg", "data/demo/06_models/model.keras", "mlflow.db"),
    "dist/car_segmentation-0.1.0.tar.gz",
    *("mlflow.db.lock", "mlruns/1/run/a.png", "site/index.html", "src/car_segmentation/info.log"),
    *("src/car_segmentation/__pycache__/a.pyc", "src/car_segmentation.egg-info/PKG-INFO"),
)


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage: what, and the rest of the line."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        instruction, rest = line.split(" ", 1)
        if instruction == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\w+)", rest).groups()  # type: ignore[union-attr]
            found[name] = [("FROM", base)]
        else:
            found[name].append((instruction, rest))
    return found


def of_kind(stage: str, instruction: str) -> list[str]:
    return [rest for kind, rest in stages()[stage] if kind == instruction]


def test_the_python_is_a_supported_one() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for stage in stages():
        (base,) = of_kind(stage, "FROM")
        version = re.fullmatch(r"python:(3\.\d+)-slim", base)
        assert version and version[1] in SpecifierSet(project["requires-python"])


def test_the_checks_are_those_of_ci() -> None:
    packages, checks = of_kind("checks", "RUN")
    assert of_kind("checks", "COPY") == [". ."] and checks == ".ci/run"
    assert {"git", "make"} <= set(packages.split())
    steps = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()
    targets = [line.removeprefix("make ") for line in steps if line.startswith("make ")]
    assert targets == ["lint", "test-all"]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_service_is_installed_as_the_makefile_installs() -> None:
    (install,) = [step for step in of_kind("service", "RUN") if " pip " in step]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    by_make = re.search(r"-m pip install --quiet (.*) '\.\[dev\]'", makefile)
    assert by_make and f"{by_make[1]} ." in install
    for rest in of_kind("service", "COPY"):
        *sources, _ = rest.split()
        assert all((REPOSITORY / source).exists() for source in set(sources) - BESIDE)


def test_the_service_is_called_as_it_can_be(tmp_path: Path) -> None:
    (entry,), (command,) = of_kind("service", "ENTRYPOINT"), of_kind("service", "CMD")
    words = [*shlex.split(entry.strip("[]").replace(",", " ")), command.strip('[]"')]
    assert words[0] == "python"
    run = subprocess.run(
        [sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    # All but the model is there.
    assert run.returncode == 1 and "There is no model in model/model.keras" in run.stderr
    port = of_kind("service", "EXPOSE")[0]
    source = (REPOSITORY / "src/car_segmentation/serving/__main__.py").read_text(encoding="utf-8")
    assert f'"--port", type=int, default={port}' in source
    assert f":{port}/ready'" in of_kind("service", "HEALTHCHECK")[0]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_an_image_gets_what_a_clone_has_and_no_more(tmp_path: Path) -> None:
    def git(*words: str) -> list[str]:
        run = subprocess.run(
            ["git", *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return run.stdout.splitlines()

    shutil.copy(REPOSITORY / ".dockerignore", tmp_path)
    git("init", "--quiet")
    kept = ["Dockerfile", "Makefile", ".telemetry", "conf/local/.gitkeep", "conf/base/catalog.yml"]
    kept += ["src/car_segmentation/data/images.py", "docs/index.md", *sorted(BESIDE)]
    for name in (*kept, *NOT_IN_AN_IMAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    left = git("ls-files", "--others", "--exclude-from=.dockerignore")
    assert sorted(left) == sorted([*kept, ".dockerignore"])
    assert "/.git" in (tmp_path / ".dockerignore").read_text().splitlines()
