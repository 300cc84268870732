"""Errors of several libraries that mean out of memory."""

import pytest

from car_segmentation.core.errors import is_out_of_memory


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (ResourceExhaustedError("anything"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"), True),
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (RuntimeError("the disk is full"), False),
        (ValueError("a photo has no thread"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_errors(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it
