import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_masks
from skimage.draw import polygon2mask

from car_segmentation.data.annotations.polygons import (
    fill_ellipse,
    fill_polygon,
    one_ring,
    outlines,
    rectangle,
)
from tests.support.annotations import blobs, painted


def filled(rings: list, height: int, width: int) -> np.ndarray:
    patch = fill_polygon([np.array(ring, float) for ring in rings], height, width)
    return painted(patch, height, width)


def test_a_pixel_belongs_to_what_holds_its_centre() -> None:
    inside = filled([[(0.4, 0), (2.6, 0), (2.6, 1.4), (0.4, 1.4)]], 2, 4)
    # Centres are at 0.5, 1.5, 2.5 across and 0.5 down; 1.5 down is outside.
    assert inside.tolist() == [[True, True, True, False], [False] * 4]


def test_centres_on_an_outline_belong_to_what_is_right_of_it_and_below() -> None:
    inside = filled([rectangle(0.5, 0.5, 2.5, 2.5)], 4, 4)
    assert np.argwhere(inside).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_two_neighbours_share_no_pixel_and_leave_none() -> None:
    left = filled([[(0, 0), (3.5, 0), (1.5, 4), (0, 4)]], 4, 5)
    right = filled([[(3.5, 0), (5, 0), (5, 4), (1.5, 4)]], 4, 5)
    assert (left ^ right).all()


def test_a_hole_and_a_bow_are_enclosed_twice() -> None:
    ring = filled([rectangle(0, 0, 5, 5), rectangle(1, 1, 4, 4)], 5, 5)
    assert ring.sum() == 25 - 9
    twice_round = filled([[*rectangle(0, 0, 2, 2), *rectangle(0, 0, 2, 2)]], 2, 2)
    assert not twice_round.any()


def test_what_is_outside_the_photo_is_left_out() -> None:
    assert filled([rectangle(-900, -5, 2, 900)], 3, 4).sum() == 3 * 2
    assert not filled([rectangle(10, 10, 20, 20)], 3, 4).any()


@given(
    st.lists(
        # Never through the middle of a pixel, where the other two have rules of their own.
        st.tuples(*[st.integers(-80, 480).map(lambda tenth: tenth / 10 + 0.0371)] * 2),
        min_size=3,
        max_size=12,
        unique=True,
    )
)
def test_the_same_as_scikit_image(points: list[tuple[float, float]]) -> None:
    corners = np.array(points)
    # Its pixels have their centres at whole numbers, its points are of row and column.
    expected = polygon2mask((40, 40), corners[:, ::-1] - 0.5)
    assert np.array_equal(filled([corners], 40, 40), expected)


def test_within_a_fifth_of_a_pixel_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = rng.uniform(0, 200, (6, 2))
        theirs = coco_masks.decode(coco_masks.frPyObjects([corners.ravel().tolist()], 200, 200))
        ours = filled([corners], 200, 200)
        edge = cv2.polylines(
            np.zeros((200, 200), np.uint8), [np.rint(corners - 0.5).astype(int)], True, 1, 3
        )
        assert not (ours != theirs[..., 0].astype(bool))[edge == 0].any()


@pytest.mark.parametrize("points", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (np.nan, 0)]])
def test_what_is_no_outline_is_refused(points: list) -> None:
    with pytest.raises(ValueError, match="an outline"):
        filled([points], 4, 4)


def test_an_ellipse_by_hand() -> None:
    disc = painted(fill_ellipse((3, 3), (2, 2), 0, 6, 6), 6, 6)
    assert disc.astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_ellipses_are_turned_clockwise() -> None:
    lying = painted(fill_ellipse((10, 10), (8, 3), 0, 20, 20), 20, 20)
    assert np.array_equal(painted(fill_ellipse((10, 10), (8, 3), 90, 20, 20), 20, 20), lying.T)
    slanted = painted(fill_ellipse((10, 10), (8, 3), 45, 20, 20), 20, 20)
    assert slanted[14, 14] and not slanted[5, 14]  # From top left to bottom right.


@pytest.mark.parametrize("seed", range(6))
def test_outlines_give_masks_back(seed: int) -> None:
    mask = blobs(seed)
    polygons = outlines(mask)
    assert any(len(rings) > 1 for rings in polygons)
    assert (mask[0].any() or mask[:, 0].any()) and not mask.all()
    again, joined = np.zeros_like(mask), np.zeros_like(mask)
    for rings in polygons:
        again |= filled(rings, *mask.shape)
        joined |= filled([one_ring(rings)], *mask.shape)
    assert np.array_equal(again, mask)
    assert np.array_equal(joined, mask)


def test_outlines_of_nothing_of_everything_and_of_pixels_that_touch_at_a_corner() -> None:
    assert outlines(np.zeros((4, 5), bool)) == []
    ((ring,),) = outlines(np.ones((4, 5), bool))
    assert filled([ring], 4, 5).all()
    assert len(outlines(np.eye(3, dtype=bool))) == 3


def test_simpler_outlines_have_fewer_points_and_stay_near() -> None:
    y, x = np.mgrid[:200, :300]
    mask = ((x - 150) / 120) ** 2 + ((y - 100) / 80) ** 2 <= 1
    ((exact,),), ((simple,),) = outlines(mask), outlines(mask, tolerance=1.0)
    assert len(simple) < len(exact) / 5
    distance = cv2.distanceTransform(255 - cv2.Canny(mask.astype(np.uint8) * 255, 1, 1), 2, 5)
    assert distance[filled([simple], 200, 300) != mask].max() < 2.5
