"""The threshold search: from which probability on a pixel is best taken for car.

Thresholds are tried in steps of 1/256, all at once: a photo's pixels are counted by their level.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from car_segmentation.core.parallel import map_bounded
from car_segmentation.core.pixel_budget import Budget
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import read_truth
from car_segmentation.prediction.probability_maps import predict_photos
from car_segmentation.prediction.segmenter import Segmenter, to_native_size

AHEAD = 8
"""Photos whose Dice is computed while the next ones are predicted."""
PROBABILITY_LEVELS = 256


def probability_levels(probability: np.ndarray) -> np.ndarray:
    """Which of 256 steps each probability, 0 to 1, reaches: p ≥ k/256 at k; uint8."""
    return np.minimum(probability * PROBABILITY_LEVELS, PROBABILITY_LEVELS - 1).astype(np.uint8)


def dice_at_thresholds(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Dice of one photo at every threshold k/256, k from 0 to 255.

    Args:
        probability: float (height, width), 0 to 1.
        truth: bool (height, width).

    Returns:
        float64 (256,): Dice of ``probability >= k / 256`` at index k.
    """
    level = probability_levels(probability)
    on_car = np.bincount(level[truth], minlength=PROBABILITY_LEVELS)
    everywhere = np.bincount(level.ravel(), minlength=PROBABILITY_LEVELS)
    true_positives = on_car[::-1].cumsum()[::-1]
    predicted = everywhere[::-1].cumsum()[::-1]
    total = predicted + np.count_nonzero(truth)
    return np.where(total > 0, 2 * true_positives / np.maximum(total, 1), 1.0)


@dataclass(frozen=True)
class ThresholdSearch:
    """Mean Dice over photos for each of 256 thresholds.

    Attributes:
        dice: float64 (256,), at the thresholds k/256.
    """

    dice: np.ndarray

    @property
    def threshold(self) -> float:
        """The threshold with the highest mean Dice, the lowest if there are several; 0 to 1."""
        return int(np.argmax(self.dice)) / len(self.dice)

    @property
    def best_dice(self) -> float:
        """The mean Dice at that threshold, 0 to 1."""
        return float(self.dice.max())


def search_threshold(
    segmenter: Segmenter, photos: ImageStack, photo_table: pd.DataFrame
) -> ThresholdSearch:
    """Score photos at native size, each with every threshold k/256.

    Args:
        segmenter: Predicts as it will when the threshold is applied.
        photos: The resized photos, of at least those of the table.
        photo_table: Columns ``photo_id``, ``photo_path`` and ``mask_path``, a row per photo.
    """
    budget = Budget()

    def dice_of(item: tuple[np.ndarray, str]) -> np.ndarray:
        probability, mask_path = item
        truth = read_truth(Path(mask_path))
        with budget.take(truth.foreground.size):
            native = to_native_size(probability, *truth.foreground.shape)
            return dice_at_thresholds(truth.zero_where_ignored(native), truth.foreground)

    maps = predict_photos(segmenter, photos, photo_table)
    scored = map_bounded(dice_of, zip(maps, photo_table["mask_path"], strict=True), AHEAD)
    return ThresholdSearch(sum(scored, start=np.zeros(PROBABILITY_LEVELS)) / len(photo_table))
