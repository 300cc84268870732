"""What several tests share: small pictures on disk, and settings that keep them fast."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings
from PIL import Image

from car_segmentation.parameters import Training

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("MLFLOW_TRACKING_URI", None)
# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SIZE = (48, 64)
"""Height and width of the small photos, in pixels."""


TRAINING = Training(
    loss="bce_dice",
    border_kernel=3,
    border_weight=0,
    optimizer="adam",
    learning_rate=0.01,
    weight_decay=0,
    schedule="constant",
    warmup_share=0,
    batch_size=2,
    epochs=30,
    patience=30,
    min_delta=0,
    precision="float32",
    jit_compile=False,
    loader_workers=1,
)
"""A plain training, to vary."""


def disc_mask(height: int = SIZE[0], width: int = SIZE[1], radius: float = 15.0) -> np.ndarray:
    """A disc in the middle; bool (height, width)."""
    y, x = np.mgrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 <= radius**2


def photo_of(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """A photo on which the mask's object is dark red and the rest light grey; uint8 RGB."""
    rng = np.random.default_rng(seed)
    photo = np.where(mask[..., np.newaxis], (150, 30, 30), (200, 200, 200))
    return np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)


def write_pair(
    raw: Path, photo_id: str, mask: np.ndarray | None = None, photo: np.ndarray | None = None
) -> tuple[Path, Path]:
    """Write a photo and its mask in Kaggle's layout; return both paths."""
    mask = disc_mask() if mask is None else mask
    photo = photo_of(mask) if photo is None else photo
    photo_path = raw / "train" / f"{photo_id}.jpg"
    mask_path = raw / "train_masks" / f"{photo_id}_mask.gif"
    for path in (photo_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(photo_path, quality=95)
    Image.fromarray(mask.astype(np.uint8) * 255).save(mask_path)
    return photo_path, mask_path


def write_cars(raw: Path, cars: int, views: int = 2) -> None:
    """Write a raw data folder with discs of several sizes, as views of several cars."""
    for car in range(cars):
        for view in range(1, views + 1):
            mask = disc_mask(radius=10 + car + view)
            write_pair(raw, f"{car:012x}_{view:02d}", mask, photo_of(mask, seed=car * 100 + view))


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


REPOSITORY = Path(__file__).parents[1]

TINY_DEMO: dict[str, dict[str, dict[str, Any]]] = {
    "parameters_demo_photos.yml": {"demo_photos": {"cars": 12, "height": 64, "width": 96}},
    "parameters_data_processing.yml": {"image": {"height": 32, "width": 48}},
    "parameters_modelling.yml": {
        "network": {"filters": [4, 8], "centre_filters": 8, "batch_norm_momentum": 0.5},
        "training": {"epochs": 2, "batch_size": 32},
    },
    "parameters_reporting.yml": {
        "reporting": {"worst_photos": 2, "random_photos": 2, "suspect_masks": 2}
    },
}
"""What makes conf/demo a matter of seconds."""

TINY_DEMO_RUNS = """
from pathlib import Path
import mlflow
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

bootstrap_project(Path.cwd())
for pipelines, parameters in (
    (["demo_photos"], {}),
    (["__default__"], {}),
    (["modelling", "reporting"], {"training": {"learning_rate": 0.02}}),
):
    with KedroSession.create(env="demo", runtime_params=parameters) as session:
        session.run(pipeline_names=pipelines)
    while mlflow.active_run():  # kedro-mlflow enters it once for each node.
        mlflow.end_run()
"""


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


def make_demo_project(project: Path) -> None:
    """Copy the project, make its demo tiny, and run it twice."""
    for name in ("conf", "src", "notebooks"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
        shutil.copytree(REPOSITORY / name, project / name, ignore=ignore)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, project)
    for name, groups in TINY_DEMO.items():
        file = project / "conf" / "demo" / name
        parameters = yaml.safe_load(file.read_text()) if file.exists() else {}
        for group, values in groups.items():
            parameters[group] = parameters.get(group, {}) | values
        file.write_text(yaml.safe_dump(parameters))
    variables = {**os.environ, "DO_NOT_TRACK": "1"}
    variables.pop("PYTHONPATH", None)
    run = subprocess.run(
        [sys.executable, "-c", TINY_DEMO_RUNS],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
