"""What several tests share: small pictures on disk, and settings that keep them fast."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from tests.support.projects import make_demo_project

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("MLFLOW_TRACKING_URI", None)
# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


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
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to copy: MLflow takes seconds to make one."""
    import mlflow

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose demo is tiny, after two runs of it; to read, or to copy.

    One for all workers of pytest-xdist: the first that asks makes it, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    project = folder / "demo_project"
    with (folder / "demo_project.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (project / "finished").exists():
            make_demo_project(project)
            (project / "finished").touch()
    return project
