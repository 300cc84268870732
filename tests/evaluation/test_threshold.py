from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.evaluation.photo_scores import score_photos
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.evaluation.threshold import dice_at_thresholds, search_threshold
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.probability_maps import write_probability_maps
from car_segmentation.prediction.segmenter import Segmenter
from tests.support.models import Toy
from tests.support.photos import disc_mask

TRUTH = disc_mask()


def test_threshold_curve_is_the_mean_over_photos(two_photos: pd.DataFrame) -> None:
    photos = np.zeros((2, *TRUTH.shape, 3), np.uint8)
    photos[0][TRUTH] = 200  # Right from 0 to 200/255; the other photo predicts nothing.
    stack = ImageStack(("a", "b"), photos)
    found = search_threshold(Segmenter(Toy(*TRUTH.shape), batch_size=2), stack, two_photos)
    assert found.dice.shape == (256,)
    assert found.dice[100] == pytest.approx(0.5)
    assert found.dice[250] == 0
    # Thresholds above 0 and up to 200/255 are equal; the lowest of them is taken.
    assert (found.threshold, found.best_dice) == (1 / 256, pytest.approx(0.5))


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


@pytest.mark.parametrize("options", [{}, {"flip": True, "scales": (1.0, 0.8)}, {"tiles": {}}])
def test_the_best_dice_is_that_of_the_report(
    two_photos: pd.DataFrame, tmp_path: Path, options: dict
) -> None:
    """Whatever the options, the search scores the probabilities that the report scores."""

    class Uneven(Toy):
        """Says more of the left, so that mirrored views differ."""

        def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
            return (1 - super().predict_on_batch(photos)) * np.linspace(1, 0.2, photos.shape[2])[
                :, np.newaxis
            ].astype(np.float32)

    table = two_photos.assign(height=TRUTH.shape[0], width=TRUTH.shape[1])
    pixels = np.stack([read_photo(Path(path))[::2, ::2] for path in table["photo_path"]])
    photos = ImageStack(("a", "b"), pixels)
    model = Uneven(*pixels.shape[1:3])
    segmenter = Segmenter.from_options(model, PredictionOptions(**options))
    found = search_threshold(segmenter, photos, table)
    maps = write_probability_maps(tmp_path / "maps", segmenter, photos, table)
    scores = score_photos(maps, table, found.threshold)
    assert found.best_dice > 0.5
    assert scores["dice"].mean() == pytest.approx(found.best_dice, abs=1e-6)
