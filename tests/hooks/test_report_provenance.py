import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest
from kedro.io import MemoryDataset

from car_segmentation.hooks.report_provenance import (
    PROVENANCE,
    ReportProvenance,
    command,
    git_commit,
)
from car_segmentation.hooks.session import Session


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    called = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return called.stdout.strip()


def test_the_commit_of_a_repository_and_whether_it_was_changed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert git_commit(repository) == commit[:12]
    (repository / "file").write_text("2")
    assert git_commit(repository) == f"{commit[:12]}, with changes since"


def test_a_folder_inside_somebody_elses_repository_has_no_commit(repository: Path) -> None:
    (repository / "copy").mkdir()
    assert git_commit(repository / "copy") == ""


@pytest.mark.parametrize(
    ("run", "environment", "given", "expected"),
    [
        ({}, "base", {}, "kedro run"),
        (
            {"pipeline_names": ["modelling", "reporting"], "tags": ()},
            "cpu",
            {"training": {"epochs": 3}},
            "kedro run --env=cpu --pipelines=modelling,reporting --params=training.epochs=3",
        ),
        ({"from_nodes": ["a"]}, "base", {"raw_data": "my photos"},
         "kedro run --from-nodes=a '--params=raw_data=my photos'"),
    ],
)  # fmt: skip
def test_the_command_that_does_the_same(run, environment, given, expected: str) -> None:
    assert command(run, environment, given) == expected


def test_only_a_run_that_reports_is_told(tmp_path: Path) -> None:
    session = Session(environment="demo", project_path=tmp_path)
    session.parameters = Mock(raw_data="photos")
    catalog = {PROVENANCE: MemoryDataset({})}
    hook = ReportProvenance(session)
    hook.before_pipeline_run({}, Mock(**{"inputs.return_value": {"model"}}), catalog)
    assert catalog[PROVENANCE].load() == {}
    hook.before_pipeline_run({}, Mock(**{"inputs.return_value": {PROVENANCE}}), catalog)
    provenance = catalog[PROVENANCE].load()
    assert (provenance["data_set"], provenance["environment"]) == ("photos", "demo")
    assert (provenance["run"], provenance["commit"]) == ("", "")
