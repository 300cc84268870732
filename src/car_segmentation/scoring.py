"""How good a mask is: one score per photo, at native size. Masks are bool (height, width)."""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

PROBABILITY_LEVELS = 256
"""Thresholds are searched in steps of 1/256."""


@dataclass(frozen=True)
class PhotoScore:
    """The scores of one photo.

    Attributes:
        dice: 2·TP / (2·TP + FP + FN), 0 to 1.
        iou: TP / (TP + FP + FN), 0 to 1.
        precision: TP / (TP + FP), 0 to 1.
        recall: TP / (TP + FN), 0 to 1.
        edge_error_px: How far the edge is off, if all error lay evenly along it; pixels.
        false_positives: Pixels taken for car that are not.
        false_negatives: Pixels of the car that were missed.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    edge_error_px: float
    false_positives: int
    false_negatives: int

    def as_dict(self) -> dict[str, float]:
        """The scores by name."""
        return asdict(self)


def score_mask(predicted: np.ndarray, truth: np.ndarray) -> PhotoScore:
    """Score a mask against the truth.

    A ratio of nothing to nothing is 1, as Kaggle defines Dice for two empty masks.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> truth = np.array([[True, True, False, False]])
        >>> score_mask(np.array([[True, False, True, False]]), truth).dice
        0.5
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, truth has {truth.shape}")
    true_positives = int(np.count_nonzero(predicted & truth))
    false_positives = int(np.count_nonzero(predicted)) - true_positives
    false_negatives = int(np.count_nonzero(truth)) - true_positives
    wrong = false_positives + false_negatives
    dice = _ratio(2 * true_positives, 2 * true_positives + wrong)
    return PhotoScore(
        dice=dice,
        iou=_ratio(true_positives, true_positives + wrong),
        precision=_ratio(true_positives, true_positives + false_positives),
        recall=_ratio(true_positives, true_positives + false_negatives),
        edge_error_px=edge_error(dice, truth),
        false_positives=false_positives,
        false_negatives=false_negatives,
    )


def edge_error(dice: float, truth: np.ndarray) -> float:
    """Dice as a distance: 2·area·(1 − Dice) / perimeter, in pixels.

    The wrong pixels, spread evenly along the true edge, make a band of about this width.
    Infinite where there is error but no edge.
    """
    if dice == 1:
        return 0.0
    edge = perimeter(truth)
    area = np.count_nonzero(truth)
    return 2 * area * (1 - dice) / edge if edge else float("inf")


def perimeter(mask: np.ndarray) -> float:
    """Length in pixels of all outlines of a mask, holes included, through pixel centres."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return float(sum(cv2.arcLength(outline, closed=True) for outline in outlines))


def dice_at_thresholds(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Dice of one photo at every threshold k/256, k from 0 to 255.

    Args:
        probability: float (height, width), 0 to 1.
        truth: bool (height, width).

    Returns:
        float64 (256,): Dice of ``probability >= k / 256`` at index k.
    """
    level = np.minimum(probability * PROBABILITY_LEVELS, PROBABILITY_LEVELS - 1).astype(np.uint8)
    on_car = np.bincount(level[truth], minlength=PROBABILITY_LEVELS)
    everywhere = np.bincount(level.ravel(), minlength=PROBABILITY_LEVELS)
    true_positives = on_car[::-1].cumsum()[::-1]
    predicted = everywhere[::-1].cumsum()[::-1]
    total = predicted + np.count_nonzero(truth)
    return np.where(total > 0, 2 * true_positives / np.maximum(total, 1), 1.0)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
