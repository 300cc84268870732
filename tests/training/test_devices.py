"""Trainings on two devices against those on one, in processes of their own: `device_trainings`."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.devices import (
    JOBS,
    PROCESS,
    PROCESSES,
    Devices,
    _choose,
    find_devices,
    join_processes,
    process_count,
    process_number,
)
from car_segmentation.training.early_stopping import Progress
from tests.support.projects import REPOSITORY
from tests.support.trainings import TRAINING

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed (pip install -e '.[jax]').",
)


def begin(target: Path, *cases: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.device_trainings", str(target), *cases],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes: subprocess.Popen[str]) -> None:
    errors = [process.communicate()[1] for process in processes]
    for process, error in zip(processes, errors, strict=True):
        assert process.returncode == 0, error[-3000:]


def assert_two_are_as_one(two: Path, one: Path, cases: list[str], rounding: float) -> None:
    """The same loss, Dice and weights, of which none is what it was before."""
    with np.load(one) as expected, np.load(two) as seen:
        for case in cases:
            history, other = (
                json.loads(str(values[f"{case}.{name}.history"]))
                for values, name in ((expected, "one"), (seen, "two"))
            )
            assert history.keys() == other.keys() >= {"loss", "val_loss", "val_dice"}
            for metric, values in history.items():
                assert other[metric] == pytest.approx(values, abs=rounding), (case, metric)
            names = [name for name in seen.files if name.startswith(f"{case}.two.")]
            assert len(names) > 20
            for name in names:
                if not name.endswith("history"):
                    weight = expected[name.replace(".two.", ".one.")]
                    assert seen[name] == pytest.approx(weight, abs=rounding), name


@pytest.mark.slow
def test_two_devices_on_tensorflow(tmp_path: Path) -> None:
    two = tmp_path / "two.npz"
    finish(begin(two, "killed", KERAS_BACKEND="tensorflow"))
    assert_two_are_as_one(two, two, ["killed"], 1e-4)


@pytest.mark.slow
@needs_jax
def test_two_devices_and_two_processes_on_jax(tmp_path: Path) -> None:
    two, processes = tmp_path / "two.npz", tmp_path / "processes.npz"
    flag = "--xla_force_host_platform_device_count=2"
    finish(begin(two, "killed", "more", KERAS_BACKEND="jax", XLA_FLAGS=flag))
    assert_two_are_as_one(two, two, ["killed"], 1e-4)
    # Half precision has 3 digits, and a step is a tenth of a gradient.
    assert_two_are_as_one(two, two, ["more"], 1e-2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    together = {"KERAS_BACKEND": "jax", JOBS: address, PROCESSES: "2"}
    finish(
        *(begin(processes, "killed", **together, **{PROCESS: str(number)}) for number in range(2))
    )
    assert_two_are_as_one(processes, two, ["killed"], 1e-4)


def test_one_device_is_nothing_special(tmp_path: Path) -> None:
    devices = find_devices(1)
    assert devices == Devices()
    checkpoint = Checkpoint(tmp_path)
    assert devices.shared(checkpoint) is checkpoint
    assert devices.any_process(True) and not devices.any_process(False)
    assert devices.broadcast_from_first(b"content") == b"content"
    devices.check_same("anything")


def test_more_devices_than_there_are() -> None:
    assert _choose(["a", "b"], 1) == ["a"]
    assert _choose(["a", "b"], "all") == ["a", "b"]
    with pytest.raises(UserError, match=r"training\.devices = 3: this host has 2 \(a, b\)"):
        _choose(["a", "b"], 3)


def test_a_batch_that_devices_cannot_share() -> None:
    Devices(count=4).check(TRAINING.model_copy(update={"batch_size": 8}))
    with pytest.raises(UserError, match=r"training\.batch_size = 6: 4 devices share each batch"):
        Devices(count=4).check(TRAINING.model_copy(update={"batch_size": 6}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gradient_accumulation_steps", 2),
        ("ema_momentum", 0.9),
        ("global_clipnorm", 1.0),
        ("precision", "mixed_float16"),
    ],
)
def test_what_tensorflow_cannot_do_on_several_devices(name: str, value: object) -> None:
    settings = TRAINING.model_copy(update={name: value})
    Devices(count=2).check(settings)
    with pytest.raises(UserError, match=rf"training\.{name} = {value}: TensorFlow cannot do this"):
        Devices(count=2, strategy="MirroredStrategy").check(settings)


def test_without_the_variables_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (JOBS, PROCESSES, PROCESS):
        monkeypatch.delenv(name, raising=False)
    assert (process_count(), process_number()) == (1, 0)
    join_processes()


def test_several_processes_need_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    with pytest.raises(UserError, match="training with several processes needs JAX"):
        join_processes()


def test_several_processes_need_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.delenv(JOBS, raising=False)
    monkeypatch.setenv(PROCESS, "1")
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(UserError, match=f"{JOBS} is not"):
        join_processes()


def test_processes_are_numbered_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESS, "2")
    monkeypatch.setenv(JOBS, "127.0.0.1:1")
    monkeypatch.delenv(PROCESSES, raising=False)
    assert process_number() == 0  # Alone.
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(UserError, match=f"{PROCESS} = 2: 2 processes are numbered from 0 to 1"):
        join_processes()


def test_only_the_first_process_writes_a_checkpoint(tmp_path: Path) -> None:
    state = {"network": [np.ones(2)]}
    second = Devices(count=2, processes=2, process=1).shared(Checkpoint(tmp_path))
    second.write_last(Progress(), state)
    second.write_best(0, [np.ones(2)])
    assert not list(tmp_path.iterdir())
    Devices(count=2, processes=2, process=0).shared(Checkpoint(tmp_path)).write_last(
        Progress(), state
    )
    assert [file.name for file in tmp_path.iterdir()] == ["last.npz"]
