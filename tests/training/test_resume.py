"""A killed training that is run again ends with the weights of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.parameters import Stage, Training
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.stop_reasons import TrainingStopped
from tests.support.projects import REPOSITORY
from tests.support.trainings import (
    CHANGING,
    TRAINING,
    assert_same,
    small_training,
)


class Killed(Exception):
    """Stands for the end of the process."""


class Dying(Checkpoint):
    """A checkpoint whose process is gone just before, or just after, a number of writings."""

    def die(self, writings: int, after: bool) -> "Dying":
        object.__setattr__(self, "left", writings)
        object.__setattr__(self, "after", after)
        return self

    def write_last(self, progress, state) -> None:
        object.__setattr__(self, "left", self.left - 1)
        if self.left == 0 and not self.after:
            raise Killed
        super().write_last(progress, state)
        if self.left == 0:
            raise Killed


STAGED = TRAINING.model_copy(
    update={
        "stages": (
            Stage(end_fraction=0.25, mode="resize", height=16, width=24),
            Stage(end_fraction=0.75, mode="crop", height=24, width=16),
        ),
        **{"optimizer": "muon", "schedule": "cosine", "epochs": 4, "checkpoint_minutes": 0.0},
    }
)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[np.ndarray], dict, list]:
    return small_training(None)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "settings",
    [CHANGING, pytest.param(STAGED, marks=pytest.mark.slow)],
    ids=["changing", "staged"],
)
def test_killed_at_random_steps_and_continued_it_ends_the_same(
    settings: Training, after: bool, tmp_path: Path
) -> None:
    undisturbed = small_training(None, settings)
    rng = random.Random(4 + after)
    before = set(threading.enumerate())
    deaths = 0
    while True:
        try:
            checkpoint = Dying(tmp_path).die(rng.randint(2, 9), after)
            continued = small_training(checkpoint, settings)
            break
        except Killed:
            deaths += 1
            assert set(threading.enumerate()) <= before
    assert deaths >= 2
    assert_same(continued, undisturbed)


def test_a_training_that_ended_before_its_model_was_saved_is_not_trained_again(
    undisturbed, tmp_path: Path
) -> None:
    small_training(Checkpoint(tmp_path))
    before = (tmp_path / "last.npz").stat().st_mtime_ns
    again = small_training(Checkpoint(tmp_path))
    assert_same(again, undisturbed)
    assert (tmp_path / "last.npz").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_killed_process_is_continued_to_the_same_weights(undisturbed, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from car_segmentation.training.checkpoints import Checkpoint\n"
        "from tests.support.trainings import small_training\n"
        f"small_training(Checkpoint(Path({str(tmp_path)!r})))\n"
    )
    rng = random.Random(5)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )
        while not (tmp_path / "last.npz").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))  # A step takes milliseconds.
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
    assert_same(small_training(Checkpoint(tmp_path)), undisturbed)


def test_ctrl_c_keeps_the_best_model_so_far_and_the_place(undisturbed, tmp_path: Path) -> None:
    class Interrupting(Checkpoint):
        def write_last(self, progress, state) -> None:
            super().write_last(progress, state)
            if (progress.epoch, progress.batches) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped) as stopped:
        small_training(Interrupting(tmp_path))
    assert "interrupted in epoch 3, batch 2 of 4" in str(stopped.value)
    assert "The best model so far is kept" in str(stopped.value)
    assert len(stopped.value.history["val_loss"]) == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert_same(small_training(Checkpoint(tmp_path)), undisturbed)
