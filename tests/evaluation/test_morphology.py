import numpy as np
import scipy.ndimage
import skimage.measure
from hypothesis import given
from hypothesis.extra.numpy import arrays

from car_segmentation.evaluation.morphology import disc, grown, holes, largest_part

MASKS = arrays(bool, (9, 11))


@given(MASKS)
def test_holes_are_what_scipy_fills(mask: np.ndarray) -> None:
    assert np.array_equal(holes(mask), scipy.ndimage.binary_fill_holes(mask) & ~mask)


@given(MASKS)
def test_largest_part_is_that_of_scikit_image(mask: np.ndarray) -> None:
    part = largest_part(mask)
    labels = skimage.measure.label(mask, connectivity=2)
    areas = np.bincount(labels[mask], minlength=2)
    assert np.count_nonzero(part) == areas.max()
    assert not (part & ~mask).any()
    assert len(np.unique(labels[part])) == min(1, areas.max())


def test_disc_and_growth() -> None:
    assert disc(2).astype(int).tolist() == [
        [0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [0, 0, 1, 0, 0],
    ]
    assert disc(2.5).shape == (7, 7)
    point = np.zeros((5, 5), bool)
    point[2, 2] = True
    assert np.array_equal(grown(point, 2), disc(2).astype(bool))
