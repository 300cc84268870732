import logging

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.training.batch_size import fitting_batch, is_out_of_memory


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


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (ResourceExhaustedError("anything"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"), True),
        (MemoryError(), True),
        (RuntimeError("the disk is full"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_errors(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it
