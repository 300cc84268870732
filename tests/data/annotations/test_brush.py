import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from car_segmentation.data.annotations.brush import decode_brush, encode_brush

MASK = np.zeros((6, 9), bool)
MASK[1:5, 2:8] = True
MASK[2, 4] = False
MASK[5, 0] = True
BY_THE_SDK = bytes(
    [
        *(0, 0, 0, 216, 57, 27, 254, 43, 0, 194, 255, 246, 192, 39, 255, 140, 2, 223, 253, 176),
        *(12, 47, 255, 108, 3, 11, 255, 198, 1, 31, 254, 31, 0, 0),
    ]
)
"""label_studio_sdk.converter.brush.mask2rle of MASK, version 2.1.2."""
LONG = np.zeros((200, 300), bool)
LONG[150:] = True
LONG_BY_THE_SDK = bytes(
    [0, 3, 169, 128, 57, 27, 255, 255, 255, 0, 255, 255, 224, 30, 252, 124, 3, 245, 47, 255, 128]
)
"""Of LONG, whose runs are longer than 2¹⁶ values."""


@pytest.mark.parametrize(("mask", "packed"), [(MASK, BY_THE_SDK), (LONG, LONG_BY_THE_SDK)])
def test_the_same_as_the_sdk(mask: np.ndarray, packed: bytes) -> None:
    assert np.array_equal(decode_brush(packed, *mask.shape) > 0, mask)
    # The SDK fills up with a byte of zeros even where none is missing.
    assert packed.rstrip(b"\0") == encode_brush(mask).rstrip(b"\0")


def test_values_that_are_not_repeated() -> None:
    # 4 values of 8 bits, lengths of 3, 4, 8 or 16 bits; no run, kind 0, 4 values; 1, 2, 3 and 200.
    bits = f"{4:032b}" + f"{7:05b}" + "0010" + "0011" + "0111" + "1111" + "0" + "00" + "011"
    bits += "".join(f"{value:08b}" for value in (1, 2, 3, 200))
    packed = int(bits.ljust(96, "0"), 2).to_bytes(12, "big")
    assert decode_brush(packed, 1, 1).tolist() == [[200]]


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_there_and_back(mask: np.ndarray) -> None:
    assert np.array_equal(decode_brush(encode_brush(mask), *mask.shape) > 127, mask)


@given(st.integers(0, len(BY_THE_SDK) * 8 - 1), st.integers(0, len(BY_THE_SDK)))
def test_damage_is_refused_or_read(flipped: int, length: int) -> None:
    damaged = bytearray(BY_THE_SDK[:length])
    if flipped // 8 < length:
        damaged[flipped // 8] ^= 1 << flipped % 8
    try:
        mask = decode_brush(bytes(damaged), 6, 9)
    except ValueError:
        return
    assert mask.shape == (6, 9)


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of 7×9 RGBA pixels"):
        decode_brush(BY_THE_SDK, 9, 7)
