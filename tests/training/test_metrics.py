import keras
import numpy as np
import pytest

from car_segmentation.evaluation.scores import score_mask
from car_segmentation.training.metrics import dice_metric, dice_per_photo


def test_agrees_with_the_final_score_but_for_the_smoothing() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((2, 3, 40, 40, 1)).astype(np.float32)
    dice = keras.ops.convert_to_numpy(dice_per_photo(truth, predicted))
    expected = [
        score_mask(p[..., 0] >= 0.5, t[..., 0] >= 0.5).dice
        for p, t in zip(predicted, truth, strict=True)
    ]
    assert dice == pytest.approx(expected, abs=1e-3)


def test_the_mean_is_over_photos_not_batches() -> None:
    metric = dice_metric()
    full, empty = np.ones((1, 4, 4, 1)), np.zeros((3, 4, 4, 1))
    metric.update_state(full, full)  # One photo with Dice 1.
    metric.update_state(np.ones((3, 4, 4, 1)), empty)  # Three with Dice 1/17.
    assert float(metric.result()) == pytest.approx((1 + 3 / 17) / 4)
