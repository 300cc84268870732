"""The threshold: which probability makes the best masks.

Thresholds are searched in steps of 1/256, all at once: a photo's pixels are counted by their level.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_mask
from car_segmentation.prediction.probability_maps import predict_batches, to_native_size

if TYPE_CHECKING:
    import keras

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


def mean_dice_at_thresholds(
    model: "keras.Model", photos: ImageStack, photo_table: pd.DataFrame, batch_size: int
) -> np.ndarray:
    """Mean Dice over photos at native size, for every threshold k/256; float64 (256,)."""

    def dice_of(probability: np.ndarray, mask_path: str) -> np.ndarray:
        truth = read_mask(Path(mask_path))
        height, width = truth.shape
        return dice_at_thresholds(to_native_size(probability, height, width), truth)

    def tasks() -> Iterator[Any]:
        for position, probability in predict_batches(model, photos, ids, batch_size):
            yield delayed(dice_of)(probability, mask_paths[position])

    ids = photo_table["photo_id"].tolist()
    mask_paths = photo_table["mask_path"].tolist()
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    total = sum(parallel(tasks()), start=np.zeros(PROBABILITY_LEVELS))
    return total / len(ids)
