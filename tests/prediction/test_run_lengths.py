import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from car_segmentation.prediction.run_lengths import decode_runs, encode_runs

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
MASKS = hnp.arrays(bool, SHAPES)

PUBLISHED = "879386 40 881253 141 883140 205 885009 17"
"""The first runs of 00087a6bd4dc_01, as the competition's own train_masks.csv has them."""


@given(MASKS)
def test_what_is_encoded_is_decoded(mask: np.ndarray) -> None:
    assert np.array_equal(decode_runs(encode_runs(mask), *mask.shape), mask)


@given(MASKS)
def test_runs_are_the_pixels_in_reading_order(mask: np.ndarray) -> None:
    numbers = [int(number) for number in encode_runs(mask).split()]
    pixels = [
        pixel
        for start, length in zip(numbers[::2], numbers[1::2], strict=True)
        for pixel in range(start, start + length)
    ]
    assert pixels == (np.flatnonzero(mask) + 1).tolist()


@given(SHAPES, st.booleans())
def test_empty_and_full_masks(shape: tuple[int, int], full: bool) -> None:
    mask = np.full(shape, full)
    runs = encode_runs(mask)
    assert runs == (f"1 {mask.size}" if full else "")
    assert np.array_equal(decode_runs(runs, *shape), mask)


@given(SHAPES)
def test_the_first_and_the_last_pixel(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, dtype=bool)
    mask[0, 0] = mask[-1, -1] = True
    assert encode_runs(mask) == {1: "1 1", 2: "1 2"}.get(mask.size, f"1 1 {mask.size} 1")
    assert np.array_equal(decode_runs(encode_runs(mask), *shape), mask)


def test_published_runs_lie_where_they_say() -> None:
    mask = decode_runs(PUBLISHED, height=1280, width=1918)
    rows, columns = np.nonzero(mask)
    assert mask.sum() == 40 + 141 + 205 + 17
    assert (rows[0], columns[0]) == divmod(879386 - 1, 1918)
    assert (rows[-1], columns[-1]) == divmod(885009 + 17 - 2, 1918)
    assert set(rows) == {458, 459, 460, 461}
    assert encode_runs(mask) == PUBLISHED


def test_a_run_may_start_where_the_one_before_ends() -> None:
    assert decode_runs("1 2 3 1", height=1, width=4).tolist() == [[True, True, True, False]]


def test_a_mask_that_is_a_part_of_another() -> None:
    assert encode_runs(np.eye(4, dtype=bool)[::2, 1:]) == "5 1"


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("1 2 3", "come in pairs"),
        ("1 x", "invalid literal"),
        ("1 0", "must hold a pixel"),
        ("4 1 2 1", "start after the end"),
        ("1 3 3 1", "start after the end"),
        ("0 2", "within pixels 1 to 6"),
        ("5 3", "within pixels 1 to 6"),
    ],
)
def test_what_is_no_mask_is_refused(runs: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_runs(runs, height=2, width=3)
