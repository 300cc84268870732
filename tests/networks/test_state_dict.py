import pickle
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.state_dict import read_state_dict
from tests.support.state_dicts import MAGIC, write_state_dict

STATE = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bn.num_batches_tracked": np.array(7, np.int64),
    "as TensorFlow orders it": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
}


@pytest.mark.parametrize("offset", [0, 3])
def test_values_come_back(tmp_path: Path, offset: int) -> None:
    write_state_dict(tmp_path / "state.pth", STATE, offset)
    read = read_state_dict(tmp_path / "state.pth")
    assert list(read) == list(STATE)
    for name, value in STATE.items():
        np.testing.assert_array_equal(read[name], value)
        assert read[name].dtype == value.dtype
        assert read[name].flags.c_contiguous


def test_a_file_is_never_run(tmp_path: Path) -> None:
    """Any pickle may ask for a function and call it; this one would make a file."""

    class MakesAFile:
        def __reduce__(self) -> object:
            return Path.touch, (tmp_path / "made",)

    parts = [pickle.dumps(part) for part in (MAGIC, 1001, {}, MakesAFile())]
    (tmp_path / "state.pth").write_bytes(b"".join(parts))
    with pytest.raises(UserError, match=r"not a state dict .* \(it names pathlib"):
        read_state_dict(tmp_path / "state.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("kept", [0, 5, 100, -1, -200])
def test_a_damaged_file(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state.pth"
    write_state_dict(path, STATE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"state\.pth': is not a state dict in the format"):
        read_state_dict(path)


def test_other_pickles_and_archives(tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    for content in (b"PK\x03\x04", b"".join(pickle.dumps(part) for part in (1, 2, 3, {}, []))):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a state dict"):
            read_state_dict(path)
