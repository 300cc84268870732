"""Fixtures that several packages share, and settings for all tests."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from tests.support.projects import (
    Project,
    make_demo_project,
    make_finished_project,
    make_project,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("MLFLOW_TRACKING_URI", None)
# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have warnings shown only, not raised, where notebooks, clusters and exporters are at work."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.filterwarnings("default"))


MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Makes a folder for all workers of pytest-xdist: the first that asks, while others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, finished = shared / name, shared / f"{name}.finished"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                fill(folder)
                finished.touch()
        return folder

    return make


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty raw data folder in Kaggle's layout."""
    folder = tmp_path / "raw"
    (folder / "train").mkdir(parents=True)
    (folder / "train_masks").mkdir()
    return folder


@pytest.fixture
def photo_table() -> Callable[[int, int], pd.DataFrame]:
    """Makes a photo table of so many cars with so many views, areas rising with the car."""

    def make(cars: int, views: int = 16) -> pd.DataFrame:
        rows = [
            (f"{car:012x}_{view:02d}", f"{car:012x}", f"{view:02d}", 0.1 + 0.3 * car / cars)
            for car in range(cars)
            for view in range(1, views + 1)
        ]
        return pd.DataFrame(rows, columns=["photo_id", "car", "view", "foreground_share"])

    return make


@pytest.fixture(scope="session")
def empty_database(make_once: MakeOnce) -> Path:
    """An MLflow database without runs, to copy: MLflow takes seconds to make one."""

    def fill(folder: Path) -> None:
        import mlflow

        folder.mkdir()
        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()

    return make_once("empty_database", fill) / "mlflow.db"


@pytest.fixture
def empty_project(tmp_path: Path) -> Project:
    """A project without data."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_project(make_once: MakeOnce) -> Project:
    """A project after a whole run; to read."""
    return Project(make_once("finished_project", make_finished_project))


@pytest.fixture
def project(finished_project: Project, tmp_path: Path) -> Project:
    """A project after a whole run; to write to."""
    return finished_project.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def demo_project(make_once: MakeOnce) -> Path:
    """A copy of the project whose demo is tiny, after two runs of it; to read, or to copy."""
    return make_once("demo_project", make_demo_project)
