"""Scores of many photos at native size, in parallel, one photo in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from car_segmentation.parallel import map_photos
from car_segmentation.photos import read_mask
from car_segmentation.prediction import predict_batches, to_native_size
from car_segmentation.scoring import PROBABILITY_LEVELS, dice_at_thresholds, score_mask
from car_segmentation.stacks import ImageStack

if TYPE_CHECKING:
    import keras


def predicted_mask(
    probability: np.ndarray, native_shape: tuple[int, ...], threshold: float
) -> np.ndarray:
    """The mask at native size, bool (height, width), from a probability map of any size."""
    height, width = native_shape
    return to_native_size(probability, height, width) >= threshold


def score_photos(
    probabilities: ImageStack, photo_table: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Score the predictions of photos, each at its native size.

    Args:
        probabilities: Probability maps of at least these photos.
        photo_table: Columns ``photo_id``, ``car``, ``view``, ``height``, ``width`` and
            ``mask_path``, a row per photo.
        threshold: Probability from which a pixel is car.

    Returns:
        A row per photo, the worst first: ``photo_id``, ``car``, ``view`` and the fields of
        `scoring.PhotoScore`.
    """
    rows = probabilities.rows_of(photo_table["photo_id"].tolist())

    def score(item: tuple[int, Any]) -> dict[str, Any]:
        row, photo = item
        truth = read_mask(Path(photo.mask_path))
        predicted = predicted_mask(probabilities.pixels[row], truth.shape, threshold)
        identity = {"photo_id": photo.photo_id, "car": photo.car, "view": photo.view}
        return identity | score_mask(predicted, truth).as_dict()

    items = zip(rows, photo_table.itertuples(), strict=True)
    scores = map_photos(score, items, len(rows), "score photos", workers="threads")
    return pd.DataFrame(scores).sort_values(["dice", "photo_id"], ignore_index=True)


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


def summarise(photo_scores: pd.DataFrame) -> dict[str, float]:
    """The scores of a whole set in a few numbers."""
    dice = photo_scores["dice"]
    return {
        "photos": len(photo_scores),
        "cars": int(photo_scores["car"].nunique()),
        "dice_mean": float(dice.mean()),
        "dice_median": float(dice.median()),
        "dice_worst": float(dice.min()),
        "edge_error_px": float(photo_scores["edge_error_px"].mean()),
        "iou_mean": float(photo_scores["iou"].mean()),
        "precision_mean": float(photo_scores["precision"].mean()),
        "recall_mean": float(photo_scores["recall"].mean()),
    }
