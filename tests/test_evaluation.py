from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.evaluation import mean_dice_at_thresholds, score_photos, summarise
from car_segmentation.stacks import ImageStack
from tests.conftest import disc_mask, write_pair
from tests.test_prediction import Brightness

TRUTH = disc_mask()


@pytest.fixture
def two_photos(raw: Path) -> pd.DataFrame:
    rows = [
        (photo_id, "car", view, str(write_pair(raw, photo_id, TRUTH)[1]))
        for photo_id, view in (("a", "01"), ("b", "02"))
    ]
    return pd.DataFrame(rows, columns=["photo_id", "car", "view", "mask_path"])


def test_scores_are_taken_at_native_size_the_worst_first(two_photos: pd.DataFrame) -> None:
    right = TRUTH[::2, ::2].astype(np.float16)  # Half the native size.
    probabilities = ImageStack(("b", "a"), np.stack([np.zeros_like(right), right]))
    scores = score_photos(probabilities, two_photos, threshold=0.5)
    assert scores["photo_id"].tolist() == ["b", "a"]
    assert scores["dice"][0] == 0
    assert 0.95 < scores["dice"][1] < 1
    assert scores["false_negatives"][0] == TRUTH.sum()


def test_threshold_curve_is_the_mean_over_photos(two_photos: pd.DataFrame) -> None:
    photos = np.zeros((2, *TRUTH.shape, 3), np.uint8)
    photos[0][TRUTH] = 200  # Right from 0 to 200/255; the other photo predicts nothing.
    stack = ImageStack(("a", "b"), photos)
    dice = mean_dice_at_thresholds(Brightness(), stack, two_photos, batch_size=2)
    assert dice[100] == pytest.approx(0.5)
    assert dice[250] == 0


def test_the_summary_by_hand() -> None:
    scores = pd.DataFrame(
        {
            "car": ["x", "x", "y"],
            "dice": [0.8, 0.9, 1.0],
            "iou": [0.7, 0.8, 1.0],
            "precision": [1.0, 1.0, 1.0],
            "recall": [0.6, 0.9, 1.0],
            "edge_error_px": [4.0, 2.0, 0.0],
        }
    )
    summary = summarise(scores)
    assert (summary["photos"], summary["cars"]) == (3, 2)
    assert summary["dice_mean"] == pytest.approx(0.9)
    assert summary["dice_median"] == pytest.approx(0.9)
    assert summary["dice_worst"] == pytest.approx(0.8)
    assert summary["edge_error_px"] == pytest.approx(2.0)
