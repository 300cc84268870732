import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from car_segmentation.evaluation.error_regions import (
    DISTANCE_BINS,
    ErrorClass,
    ErrorRegion,
    error_distances,
    error_regions,
)
from car_segmentation.evaluation.mask_geometry import distance_to, edge_pixels
from tests.support.photos import photo_of

HEIGHT, WIDTH = 600, 800
"""The diagonal is 1,000 px: a share of 0.001 is one pixel."""
FLOOR, PAINT = 200, (150, 30, 30)


def car_mask() -> np.ndarray:
    """A box of a car, 400×200 px, with nothing thin and no hole."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[200:400, 200:600] = True
    return mask


def regions_of(
    predicted: np.ndarray, truth: np.ndarray, photo: np.ndarray | None = None
) -> list[ErrorRegion]:
    photo = photo_of(truth) if photo is None else photo
    return error_regions(photo, predicted, truth, distance_to(edge_pixels(truth)))


def only_region(
    predicted: np.ndarray, truth: np.ndarray, photo: np.ndarray | None = None
) -> ErrorRegion:
    regions = regions_of(predicted, truth, photo)
    assert len(regions) == 1
    return regions[0]


def test_distances_worked_out_by_hand() -> None:
    truth = np.zeros((20, 60), bool)
    truth[:, :10] = True
    predicted = np.zeros_like(truth)
    predicted[5, :50] = True  # Columns 10 to 49 of one row are false positives.
    predicted[6:, :10] = True  # Rows 0 to 4 are missed: 50 pixels.
    # The edge runs along column 9, and along the frame; here it is given as column 9 alone.
    edge = np.zeros_like(truth)
    edge[:, 9] = True
    counts = error_distances(predicted, truth, distance_to(edge))
    # Column 10 is 0.5 px outside the edge, column 49 39.5 px.
    assert counts["false_positives"].tolist() == [1, 1, 2, 4, 8, 16, 8]
    # Column 9 is 0.5 px inside, column 0 9.5 px; five rows.
    assert counts["false_negatives"].tolist() == [5, 5, 10, 20, 10, 0, 0]


def test_distance_from_an_edge_that_is_not_there_is_in_the_last_bin() -> None:
    truth = np.zeros((4, 5), bool)
    counts = error_distances(~truth, truth, distance_to(edge_pixels(truth)))
    assert counts["false_positives"].tolist() == [0] * (len(DISTANCE_BINS) - 2) + [20]


def test_jitter_along_the_edge_is_one_region() -> None:
    truth = car_mask()
    predicted = cv2.dilate(truth.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    region = only_region(predicted, truth)
    assert region.error_class == ErrorClass.JITTER
    assert region.false_positive
    assert region.area == 2 * 402 + 2 * 200  # A frame around 400×200.
    assert region.depth_px == pytest.approx(math.sqrt(2) - 0.5)
    assert (region.top, region.left, region.bottom, region.right) == (199, 199, 401, 601)


def test_missed_part() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[200:230, 560:600] = False  # A corner, 30×40 px.
    region = only_region(predicted, truth)
    assert region.error_class == ErrorClass.MISSED
    assert not region.false_positive
    assert region.area == 1200
    assert (region.top, region.left, region.bottom, region.right) == (200, 560, 230, 600)
    assert region.depth_px == 29 + 0.5  # Its lowest row is 29 px below the edge pixels.
    wrong, right = 1200, 400 * 200 - 1200
    assert region.dice_cost == pytest.approx(wrong / (2 * right + wrong))


def test_invented_part() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[170:200, 300:340] = True
    region = only_region(predicted, truth)
    assert region.error_class == ErrorClass.SPURIOUS
    assert region.depth_px == 30 - 0.5


def test_small_bulge_is_edge_jitter_and_colour_makes_it_low_contrast() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[192:200, 300:340] = True  # 8 px out: no part.
    assert only_region(predicted, truth).error_class == ErrorClass.JITTER
    grey = np.full((HEIGHT, WIDTH, 3), FLOOR, np.uint8)
    grey[truth] = FLOOR - 5
    region = only_region(predicted, truth, grey)
    assert region.error_class == ErrorClass.LOW_CONTRAST
    # L* of grey 200 and 195, from the sRGB and CIE formulas.
    assert region.contrast == pytest.approx(_lightness(200) - _lightness(195), abs=0.05)


def test_missed_antenna_is_thin_structure() -> None:
    truth = car_mask()
    truth[120:200, 400:404] = True  # 4 px wide.
    region = only_region(car_mask(), truth)
    assert region.error_class == ErrorClass.THIN
    assert region.area == 80 * 4


def test_filled_hole() -> None:
    truth = car_mask()
    truth[240:250, 300:320] = False
    region = only_region(car_mask(), truth)
    assert region.error_class == ErrorClass.HOLE
    assert region.area == 200


def test_shadow_under_the_car_is_ground_only_where_it_is_dark() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[400:408, 300:400] = True
    assert only_region(predicted, truth).error_class == ErrorClass.JITTER
    photo = photo_of(truth)
    photo[400:450] = 20
    assert only_region(predicted, truth, photo).error_class == ErrorClass.GROUND


def test_dark_above_the_car_is_no_ground() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[192:200, 300:400] = True
    photo = photo_of(truth)
    photo[150:200] = 20
    assert only_region(predicted, truth, photo).error_class == ErrorClass.JITTER


def test_region_at_the_frame() -> None:
    truth = car_mask()
    truth[200:400, :200] = True  # The frame cuts the car.
    predicted = truth.copy()
    predicted[250:300, :40] = False
    region = only_region(predicted, truth)
    assert region.error_class == ErrorClass.FRAME
    assert region.left == 0


def test_kinds_and_far_regions_are_apart() -> None:
    truth = car_mask()
    predicted = truth.copy()
    predicted[170:200, 300:340] = True
    predicted[100:130, 700:740] = True  # Away from the car.
    predicted[200:230, 300:340] = False  # Touches the first.
    regions = regions_of(predicted, truth)
    assert sorted(region.false_positive for region in regions) == [False, True, True]
    assert [region.area for region in regions] == [1200] * 3
    assert sorted((region.top, region.left) for region in regions) == [
        *((100, 700), (170, 300), (200, 300)),
    ]


def test_empty_masks() -> None:
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    assert regions_of(nothing, nothing) == []
    invented = only_region(car_mask(), nothing)
    assert (invented.error_class, invented.dice_cost) == (ErrorClass.SPURIOUS, 1.0)
    missed = only_region(nothing, car_mask())
    assert (missed.error_class, missed.area) == (ErrorClass.MISSED, 400 * 200)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        regions_of(np.zeros((3, 4), bool), car_mask())


@given(arrays(bool, (24, 30)), arrays(bool, (24, 30)))
def test_every_wrong_pixel_is_in_one_region(predicted: np.ndarray, truth: np.ndarray) -> None:
    regions = regions_of(predicted, truth)
    for is_positive, pixels in ((True, predicted & ~truth), (False, truth & ~predicted)):
        outside = pixels.copy()
        ours = [region for region in regions if region.false_positive == is_positive]
        for region in ours:
            box = pixels[region.top : region.bottom, region.left : region.right]
            assert box.sum() >= region.area
            assert box[[0, -1]].any(axis=1).all() and box[:, [0, -1]].any(axis=0).all()
            outside[region.top : region.bottom, region.left : region.right] = False
        assert sum(region.area for region in ours) == pixels.sum()
        assert not outside.any()
    wrong = np.count_nonzero(predicted ^ truth)
    either = np.count_nonzero(predicted) + np.count_nonzero(truth)
    assert sum(r.dice_cost for r in regions) == pytest.approx(wrong / either if wrong else 0)


def _lightness(grey: int) -> float:
    linear = ((grey / 255 + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16
