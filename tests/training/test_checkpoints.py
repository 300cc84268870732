from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.training.checkpoints import Checkpoint, open_checkpoint, unfinished
from car_segmentation.training.early_stopping import Progress

STATE = {
    "network": [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(0.5)],
    "optimizer": [np.int64(7), np.array([1, 2], np.uint32)],
}


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "folder")
    assert checkpoint.read_last() is None
    progress = Progress(
        epoch=1,
        batches=4,
        photos=8,
        sums={"loss": 0.1 + 0.2},
        history=[{"loss": 1 / 3, "val_loss": 0.5}],
        best_loss=0.5,
        best_epoch=0,
    )
    checkpoint.write_last(progress, STATE)
    read, state = checkpoint.read_last()
    assert read == progress
    assert state.keys() == STATE.keys()
    for owner, values in STATE.items():
        for value, back in zip(values, state[owner], strict=True):
            assert back.dtype == value.dtype
            assert np.array_equal(back, value)


def test_a_half_written_state_is_never_read(tmp_path: Path, monkeypatch) -> None:
    """The process is gone after any number of bytes: what was there before counts."""
    checkpoint = Checkpoint(tmp_path)
    checkpoint.write_last(Progress(epoch=1), STATE)
    whole = (tmp_path / "last.npz").read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        (tmp_path / ".last.part.npz").write_bytes(whole[:size])
        progress, _ = checkpoint.read_last()
        assert progress.epoch == 1
        assert not (tmp_path / ".last.part.npz").exists()


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.write_last(Progress(), STATE)
    file = tmp_path / "last.npz"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"last\.npz is damaged .*training\.resume=false"):
        checkpoint.read_last()


def test_only_the_best_weights_are_kept(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    for epoch in (0, 3):
        checkpoint.write_best(epoch, [np.full(2, epoch), np.zeros((1, 1))])
    checkpoint.keep_best(3)
    assert [file.name for file in tmp_path.iterdir()] == ["best_3.npz"]
    weights = checkpoint.read_best(3)
    assert [weight.tolist() for weight in weights] == [[3, 3], [[0]]]
    with pytest.raises(UserError, match=r"best_0\.npz is gone"):
        checkpoint.read_best(0)


def test_trainings_with_other_fingerprints_are_left_alone(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    one = open_checkpoint(tmp_path, "a" * 64, resume=True)
    one.write_note({"run_id": "1"})
    one.write_last(Progress(epoch=5), STATE)
    other = open_checkpoint(tmp_path, "b" * 64, resume=True)
    assert "also has unfinished trainings with other settings or photos: aaaa" in caplog.text
    assert other.read_last() is None
    other.write_note({"run_id": "2"})
    assert {checkpoint.read_note()["run_id"] for checkpoint in unfinished(tmp_path)} == {"1", "2"}
    again = open_checkpoint(tmp_path, "a" * 64, resume=True)
    assert "Resuming the training in" in caplog.text
    assert again.read_last()[0].epoch == 5
    assert open_checkpoint(tmp_path, "a" * 64, resume=False).read_last() is None
    assert [checkpoint.read_note() for checkpoint in unfinished(tmp_path)] == [{"run_id": "2"}]
