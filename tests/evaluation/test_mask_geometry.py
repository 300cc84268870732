import numpy as np
import pytest
import scipy.ndimage
import skimage.measure
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from car_segmentation.evaluation.mask_geometry import (
    disc,
    distance_to,
    edge_pixels,
    grown,
    holes,
    largest_part,
)
from tests.support.photos import disc_mask

MASKS = arrays(bool, (9, 11))
ANY_MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


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


@given(ANY_MASKS)
def test_edge_is_what_scipys_erosion_takes_away(mask: np.ndarray) -> None:
    assert np.array_equal(edge_pixels(mask), mask & ~ndimage.binary_erosion(mask))


@given(ANY_MASKS)
def test_edge_of_a_part_of_another_array(mask: np.ndarray) -> None:
    spread = np.zeros((2 * mask.shape[0], 3 * mask.shape[1]), bool)
    spread[::2, ::3] = mask
    assert np.array_equal(edge_pixels(spread[::2, ::3]), edge_pixels(mask))


def test_edge_runs_round_holes_and_along_the_frame() -> None:
    mask = np.ones((7, 7), bool)
    mask[3, 3] = False
    edge = edge_pixels(mask)
    assert edge[0].all() and edge[:, -1].all()
    assert edge[2, 3] and edge[3, 4]
    assert not edge[2, 2]  # Touches the hole by a corner alone.
    assert edge.sum() == 24 + 4


@given(ANY_MASKS)
def test_distances_are_scipys(pixels: np.ndarray) -> None:
    distance = distance_to(pixels)
    assert distance.dtype == np.float32
    if pixels.any():
        assert distance == pytest.approx(ndimage.distance_transform_edt(~pixels), abs=1e-5)
    else:
        assert np.isinf(distance).all()


def test_distances_stay_exact_across_a_large_photo() -> None:
    pixels = np.zeros((1000, 1500), bool)
    pixels[0, 0] = True
    assert distance_to(pixels)[-1, -1] == pytest.approx(np.hypot(999, 1499), rel=1e-6)
    disc = edge_pixels(disc_mask(400, 600, 150))
    assert distance_to(disc) == pytest.approx(ndimage.distance_transform_edt(~disc), rel=1e-5)
