import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from car_segmentation.data.boxes import Box

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


@given(MASKS, st.integers(0, 3))
def test_a_box_holds_the_mask_and_its_margin_and_no_more(mask: np.ndarray, margin: int) -> None:
    box = Box.around(mask, margin)
    assert (box.height, box.width) == box.of(mask).shape
    assert box.of(mask).sum() == mask.sum()
    if mask.any():
        rows, columns = np.nonzero(mask)
        assert box.top == max(rows.min() - margin, 0)
        assert box.left == max(columns.min() - margin, 0)
        assert box.bottom == min(rows.max() + 1 + margin, mask.shape[0])
        assert box.right == min(columns.max() + 1 + margin, mask.shape[1])
    else:
        assert box == Box(0, 0, *mask.shape)
