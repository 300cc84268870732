import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_masks

from car_segmentation.data.annotations.coco_text import pack_counts, unpack_counts
from car_segmentation.data.annotations.shapes import pixels_to_runs


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=60)))
def test_the_same_as_pycocotools(mask: np.ndarray) -> None:
    theirs = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    runs = pixels_to_runs(mask.T)
    assert unpack_counts(theirs) == runs
    assert pack_counts(runs) == theirs


@pytest.mark.parametrize("counts", [[], [2_455_040], [0, 2_455_040], [70_000, 1, 3, 900_000, 2]])
def test_there_and_back(counts: list[int]) -> None:
    assert unpack_counts(pack_counts(counts)) == counts


@pytest.mark.parametrize("text", ["a", "ü", "0 ", "5" * 9 + "o", "o" * 99 + "0"])
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"are (damaged|cut off)"):
        unpack_counts(text)


@given(st.text(max_size=30) | st.text(st.characters(min_codepoint=48, max_codepoint=111)))
def test_any_text_gives_numbers_or_is_refused(text: str) -> None:
    try:
        counts = unpack_counts(text)
    except ValueError:
        return
    assert unpack_counts(pack_counts(counts)) == counts
