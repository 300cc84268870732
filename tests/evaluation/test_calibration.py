import numpy as np
import pytest

from car_segmentation.evaluation.calibration import (
    calibration_counts,
    expected_calibration_error,
    reliability_table,
)


def test_counts_by_hand() -> None:
    probability = np.array([[0.0, 0.001, 0.5], [0.5, 0.999, 1.0]], np.float32)
    truth = np.array([[False, True, True], [False, True, True]])
    counts = calibration_counts(probability, truth)
    assert counts.shape == (256, 3)
    assert counts[0] == pytest.approx([2, 1, 0.001])
    assert counts[128] == pytest.approx([2, 1, 1.0])
    assert counts[255] == pytest.approx([2, 2, 1.999])
    assert counts[:, 0].sum() == 6


def test_reliability_and_error_by_hand() -> None:
    # Ten pixels at 0.8 of which six are on the car, thirty at 0.1 of which six are.
    probability = np.repeat([0.8, 0.1], [10, 30])
    truth = np.repeat([True, False, True, False], [6, 4, 6, 24])
    counts = calibration_counts(probability, truth)
    table = reliability_table(counts, bins=16)
    assert table["low"].tolist() == [1 / 16, 12 / 16]
    assert table["high"].tolist() == [2 / 16, 13 / 16]
    assert table["pixels"].tolist() == [30, 10]
    assert table["probability"].tolist() == pytest.approx([0.1, 0.8])
    assert table["car_fraction"].tolist() == pytest.approx([0.2, 0.6])
    assert expected_calibration_error(counts) == pytest.approx((30 * 0.1 + 10 * 0.2) / 40)


def test_photos_add_up() -> None:
    rng = np.random.default_rng(0)
    probability, truth = rng.random((2, 20, 30)), rng.random((2, 20, 30)) < 0.4
    summed = calibration_counts(probability[0], truth[0]) + calibration_counts(
        probability[1], truth[1]
    )
    assert summed == pytest.approx(calibration_counts(probability, truth))


def test_honest_probabilities_have_no_error_and_boasting_ones_do() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(200_000)
    truth = rng.random(200_000) < probability
    assert expected_calibration_error(calibration_counts(probability, truth)) < 0.01
    certain = (probability > 0.5).astype(float)  # Right three times in four, and always sure.
    assert expected_calibration_error(calibration_counts(certain, truth)) == pytest.approx(
        0.25, abs=0.01
    )


def test_no_pixels() -> None:
    counts = calibration_counts(np.zeros(0), np.zeros(0, bool))
    assert reliability_table(counts).empty
    assert expected_calibration_error(counts) == 0
