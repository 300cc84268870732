from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.evaluation.threshold import dice_at_thresholds, mean_dice_at_thresholds
from tests.support.models import Brightness
from tests.support.photos import disc_mask, write_pair

TRUTH = disc_mask()


@pytest.fixture
def two_photos(raw: Path) -> pd.DataFrame:
    rows = [
        (photo_id, "car", view, *map(str, write_pair(raw, photo_id, TRUTH)))
        for photo_id, view in (("a", "01"), ("b", "02"))
    ]
    return pd.DataFrame(rows, columns=["photo_id", "car", "view", "photo_path", "mask_path"])


def test_threshold_curve_is_the_mean_over_photos(two_photos: pd.DataFrame) -> None:
    photos = np.zeros((2, *TRUTH.shape, 3), np.uint8)
    photos[0][TRUTH] = 200  # Right from 0 to 200/255; the other photo predicts nothing.
    stack = ImageStack(("a", "b"), photos)
    dice = mean_dice_at_thresholds(Brightness(), stack, two_photos, batch_size=2)
    assert dice[100] == pytest.approx(0.5)
    assert dice[250] == 0


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
