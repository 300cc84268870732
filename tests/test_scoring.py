import math

import numpy as np
import pytest
import scipy.spatial
from hypothesis import given
from hypothesis.extra.numpy import arrays

from car_segmentation.scoring import dice_at_thresholds, edge_error, perimeter, score_mask
from tests.conftest import disc_mask

MASKS = arrays(bool, (6, 7))


def test_values_worked_out_by_hand() -> None:
    truth = np.zeros((10, 10), bool)
    truth[2:8, 2:8] = True  # 36 pixels.
    predicted = np.zeros((10, 10), bool)
    predicted[2:8, 4:10] = True  # 36 pixels, 24 of them right.
    score = score_mask(predicted, truth)
    assert score.dice == pytest.approx(2 * 24 / 72)
    assert score.iou == pytest.approx(24 / 48)
    assert score.precision == pytest.approx(24 / 36)
    assert score.recall == pytest.approx(24 / 36)
    assert (score.false_positives, score.false_negatives) == (12, 12)
    # The outline runs through pixel centres: 4 sides of 5.
    assert score.edge_error_px == pytest.approx(2 * 36 * (1 / 3) / 20)


EMPTY, FULL = np.zeros((4, 4), bool), np.ones((4, 4), bool)


def test_both_empty_is_perfect() -> None:
    score = score_mask(EMPTY, EMPTY)
    assert (score.dice, score.iou, score.precision, score.recall) == (1, 1, 1, 1)
    assert score.edge_error_px == 0


def test_one_empty() -> None:
    missed, invented = score_mask(EMPTY, FULL), score_mask(FULL, EMPTY)
    assert (missed.dice, missed.precision, missed.recall) == (0, 1, 0)
    assert (invented.dice, invented.precision, invented.recall) == (0, 0, 1)
    assert math.isinf(invented.edge_error_px)


@given(predicted=MASKS, truth=MASKS)
def test_properties(predicted: np.ndarray, truth: np.ndarray) -> None:
    score, mirrored = score_mask(predicted, truth), score_mask(truth, predicted)
    assert 0 <= score.iou <= score.dice <= 1
    assert score.dice == mirrored.dice
    assert score.precision == mirrored.recall
    assert score.dice == pytest.approx(2 * score.iou / (1 + score.iou))
    assert (score.dice == 1) == np.array_equal(predicted, truth)


@given(predicted=MASKS, truth=MASKS)
def test_agrees_with_scipy(predicted: np.ndarray, truth: np.ndarray) -> None:
    if predicted.any() or truth.any():
        expected = 1 - scipy.spatial.distance.dice(predicted.ravel(), truth.ravel())
        assert score_mask(predicted, truth).dice == pytest.approx(expected)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\), truth has \(4, 5\)"):
        score_mask(EMPTY, np.zeros((4, 5), bool))


def test_perimeter_counts_holes() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:18, 2:18] = True
    assert perimeter(mask) == 4 * 15
    mask[8:12, 8:12] = False  # The hole's outline lies on the pixels around it: corners are cut.
    assert perimeter(mask) == pytest.approx(60 + 4 * 3 + 4 * math.sqrt(2))


def test_perimeter_of_a_disc() -> None:
    assert perimeter(disc_mask(200, 200, 80)) == pytest.approx(2 * math.pi * 80, rel=0.06)


def test_edge_error_of_a_disc_grown_by_two_pixels() -> None:
    truth, grown = disc_mask(400, 400, 150), disc_mask(400, 400, 152)
    assert score_mask(grown, truth).edge_error_px == pytest.approx(2, rel=0.1)


def test_edge_error_is_zero_for_a_perfect_mask() -> None:
    assert edge_error(1.0, EMPTY) == 0


def test_dice_at_thresholds_agrees_with_score_mask() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random((30, 40)).astype(np.float32)
    truth = rng.random((30, 40)) < probability
    curve = dice_at_thresholds(probability, truth)
    assert curve.shape == (256,)
    for level in (0, 1, 100, 128, 255):
        expected = score_mask(probability >= level / 256, truth).dice
        assert curve[level] == pytest.approx(expected)


def test_dice_at_thresholds_of_nothing_predicted_as_nothing() -> None:
    curve = dice_at_thresholds(np.zeros((3, 3)), np.zeros((3, 3), bool))
    assert curve[0] == 0
    assert (curve[1:] == 1).all()
