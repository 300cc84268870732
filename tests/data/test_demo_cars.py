from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from car_segmentation.data.demo_cars import (
    PALE_PAINTS,
    STRONG_PAINTS,
    VIEWS,
    DemoCar,
    car_id,
    draw_car,
    render_view,
)

LEFT_SIDE = 5
SLANTED = 4
PLAIN_CAR = replace(draw_car(0, 1), antenna=False, roof_rack=False, open_windows=False)
LARGEST_CAR = replace(draw_car(0, 0), width=1.92, height=1.75, boot=0.0)


def count_holes(mask: np.ndarray, smallest: int = 8) -> int:
    """Number of background patches that the car encloses, specks left out."""
    background = np.pad(255 - mask, 1, constant_values=255)
    _, _, patches, _ = cv2.connectedComponentsWithStats(background, connectivity=4)
    return int(np.sum(patches[1:, cv2.CC_STAT_AREA] >= smallest)) - 1


def share_coloured_like_the_studio(car: DemoCar) -> float:
    """Fraction of the car's pixels that are as grey and as bright as wall and floor."""
    photo, mask = render_view(car, SLANTED, 160, 240)
    darkest, brightest = np.percentile(photo[mask == 0], [10, 100])
    pixels = photo[mask == 255].astype(float)
    grey = np.ptp(pixels, axis=1) < 20
    return float(np.mean(grey & np.all((pixels > darkest) & (pixels < brightest), axis=1)))


def test_same_arguments_give_the_same_car_and_picture():
    assert draw_car(3, 4) == draw_car(3, 4)
    for one, other in zip(render_view(PLAIN_CAR, 2), render_view(PLAIN_CAR, 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_and_indices_give_different_cars():
    assert len({draw_car(seed, index) for seed in range(3) for index in range(8)}) == 24


def test_seed_changes_the_noise_and_not_the_mask():
    photo, mask = render_view(PLAIN_CAR, 2, seed=0)
    other_photo, other_mask = render_view(PLAIN_CAR, 2, seed=1)
    difference = photo.astype(float) - other_photo
    assert 1 < difference.std() < 6
    np.testing.assert_array_equal(mask, other_mask)


def test_car_ids_are_distinct_and_look_like_carvanas():
    ids = [car_id(seed, index) for seed in range(12) for index in range(12)]
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 12 and int(name, 16) >= 0 and name == name.lower() for name in ids)
    assert car_id(1, 2) == car_id(1, 2)


@pytest.mark.parametrize(("height", "width"), [(320, 480), (128, 192), (100, 200)])
def test_picture_has_the_size_asked_for(height, width):
    photo, mask = render_view(PLAIN_CAR, 3, height, width)
    assert photo.shape == (height, width, 3)
    assert mask.shape == (height, width)
    assert photo.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize("view", [0, VIEWS + 1])
def test_missing_view_is_refused(view):
    with pytest.raises(ValueError, match=f"view is {view}"):
        render_view(PLAIN_CAR, view)


@pytest.mark.parametrize("car", [LARGEST_CAR, draw_car(0, 1), draw_car(0, 4)])
def test_every_view_shows_the_whole_car_at_a_fair_size(car):
    for view in range(1, VIEWS + 1):
        _, mask = render_view(car, view, 160, 240)
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not border.any()
        assert 0.14 < np.mean(mask == 255) < 0.36


@pytest.mark.parametrize("view", range(1, VIEWS + 1, 3))
def test_car_is_in_one_piece(view):
    _, mask = render_view(draw_car(0, 0), view)
    pieces, _ = cv2.connectedComponents(mask)
    assert pieces == 2


@pytest.mark.parametrize("view", [2, SLANTED, 7])
def test_views_from_left_and_right_mirror_each_other(view):
    car = draw_car(0, 0)
    _, left = render_view(car, view)
    _, right = render_view(car, VIEWS + 2 - view)
    mirrored = right[:, ::-1]
    overlap = np.sum((left & mirrored) > 0) / np.sum((left | mirrored) > 0)
    assert overlap > 0.99


def test_turning_the_car_changes_its_outline():
    masks = [render_view(PLAIN_CAR, view, 160, 240)[1] for view in range(1, VIEWS + 1)]
    for mask, following in pairwise(masks):
        assert np.mean(mask != following) > 0.01


def test_repainting_changes_the_photo_nowhere_but_on_the_car():
    red_photo, mask = render_view(replace(PLAIN_CAR, paint=(0.8, 0.0, 0.0)), 6)
    blue_photo, _ = render_view(replace(PLAIN_CAR, paint=(0.0, 0.0, 0.8)), 6)
    changed = (red_photo != blue_photo).any(axis=2)
    car_and_soft_edge = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    assert not (changed & ~car_and_soft_edge).any()
    assert np.mean(changed[mask > 0]) > 0.4


def test_shadow_is_dark_and_not_part_of_the_mask():
    photo, mask = render_view(PLAIN_CAR, LEFT_SIDE)
    middle = mask.shape[1] // 2
    sill = np.flatnonzero(mask[:, middle])[-1]
    below = np.s_[sill + 3 : sill + 8, middle - 20 : middle + 20]
    floor = photo[-10:, middle - 20 : middle + 20].mean()
    assert not mask[below].any()
    assert photo[below].mean() < 0.7 * floor


@pytest.mark.parametrize("view", [1, LEFT_SIDE, 8, 15])
def test_antenna_is_a_thin_line_above_the_roof(view):
    _, without = render_view(PLAIN_CAR, view)
    _, with_antenna = render_view(replace(PLAIN_CAR, antenna=True), view)
    top_of_car = np.flatnonzero(without.any(axis=1))[0]
    pixels_per_row = np.sum(with_antenna[:top_of_car] > 0, axis=1)
    assert np.sum(pixels_per_row > 0) >= 10
    assert pixels_per_row.max() <= 2


def test_roof_rack_has_gaps_to_look_through():
    _, without = render_view(PLAIN_CAR, SLANTED)
    _, with_rack = render_view(replace(PLAIN_CAR, roof_rack=True), SLANTED)
    assert count_holes(without) == 0
    assert count_holes(with_rack) >= 2


@pytest.mark.parametrize("view", [LEFT_SIDE, SLANTED])
def test_open_windows_are_holes_that_show_the_wall(view):
    closed_photo, closed = render_view(PLAIN_CAR, view)
    open_photo, opened = render_view(replace(PLAIN_CAR, open_windows=True), view)
    seen_through = (closed > 0) & (opened == 0)
    assert count_holes(opened) >= 2
    assert seen_through.sum() > 200
    assert open_photo[seen_through].mean() > 150 > closed_photo[seen_through].mean()


def test_pale_paint_is_hard_to_tell_from_the_studio():
    for paint in PALE_PAINTS:
        assert share_coloured_like_the_studio(replace(PLAIN_CAR, paint=paint)) > 0.3
    for paint in STRONG_PAINTS:
        assert share_coloured_like_the_studio(replace(PLAIN_CAR, paint=paint)) < 0.2


@pytest.mark.parametrize("first", range(6))
def test_any_eight_cars_show_every_hard_case(first):
    cars = [draw_car(0, index) for index in range(first, first + 8)]
    assert any(car.antenna for car in cars)
    assert any(car.roof_rack for car in cars)
    assert any(car.open_windows for car in cars)
    assert any(car.paint in PALE_PAINTS for car in cars)
    assert any(car.paint in STRONG_PAINTS for car in cars)
