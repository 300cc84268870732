import logging

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.training.batch_size import fit_to_memory, fitting_batch
from tests.support.trainings import TRAINING, tiny_network


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


def a_device_for(photos: int, tried: list[int]):
    def step(size: int) -> None:
        tried.append(size)
        if size > photos:
            raise ResourceExhaustedError(f"OOM when allocating tensor with shape[{size}]")

    return step


def test_a_batch_is_halved_until_it_fits(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []
    with caplog.at_level(logging.WARNING):
        assert fitting_batch(a_device_for(5, tried), 16) == 4
    assert tried == [16, 8, 4]
    assert "A batch of 16 does not fit into memory" in caplog.text
    assert "A batch of 8 does not fit into memory" in caplog.text


def test_a_batch_that_fits_is_tried_once() -> None:
    tried: list[int] = []
    assert fitting_batch(a_device_for(16, tried), 16) == 16
    assert tried == [16]


@pytest.mark.parametrize(("size", "multiple", "last"), [(12, 1, 3), (16, 4, 4), (1, 1, 1)])
def test_when_no_batch_fits(size: int, multiple: int, last: int) -> None:
    tried: list[int] = []
    with pytest.raises(UserError, match=f"Not even a batch of {last} fits into memory"):
        fitting_batch(a_device_for(0, tried), size, multiple)
    assert tried[-1] == last


def test_other_errors_are_defects() -> None:
    def fail(size: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fitting_batch(fail, 8)


def test_a_batch_that_does_not_fit_is_halved_and_accumulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def step(network: keras.Model, photos: np.ndarray, masks: np.ndarray) -> None:
        tried.append((photos.shape, masks.shape))
        if len(photos) > 2:
            raise MemoryError

    monkeypatch.setattr(keras.Model, "train_on_batch", step)
    network = tiny_network()
    changes = {"batch_size": 8, "gradient_accumulation_steps": 3, "fit_to_memory": True}
    settings = TRAINING.model_copy(update=changes)
    fitted = fit_to_memory(network, settings)
    assert tried == [((size, 32, 32, 3), (size, 32, 32, 1)) for size in (8, 4, 2)]
    assert fitted == settings.model_copy(
        update={"batch_size": 2, "gradient_accumulation_steps": 12}
    )
    assert not network.compiled
    assert fit_to_memory(network, TRAINING) is TRAINING
    assert len(tried) == 3
