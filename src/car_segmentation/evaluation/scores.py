"""Scores of masks, one per photo, at native size. Masks are bool (height, width).

A new score is a field of `PhotoScore`: how it is computed, what it is called, what it means, how it
is written, and whether less of it is better. Tables, intervals, MLflow and the report follow.

**Empty masks.** A ratio of nothing to nothing is 1, as Kaggle defines Dice for two empty masks, and
a distance between two empty masks is 0. Where one mask alone is empty, Dice, IoU, boundary IoU
and surface Dice are 0, and distances are the diagonal of the photo: the longest that fits,
where infinity would make every mean infinite.

**Distances between surfaces** are defined differently by different tools, whose results disagree
(Podobnik and Vrtovec 2024, arXiv 2410.02630). Here the surface of a mask is its edge pixels
(`mask_geometry.edge_pixels`), each counted once, and distances run between pixel centres, as in
MONAI: an error of n whole pixels is at distance n, and holes have surfaces too.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from car_segmentation.data.boxes import Box
from car_segmentation.evaluation.mask_geometry import distance_to, edge_pixels, near_outside

IDENTITY = ["photo_id", "car", "view"]
"""The columns that say which photo a score is of."""
DIAGONAL_FRACTION = 0.02
"""Width of the wide band of boundary IoU, as a fraction of the photo's diagonal: the default of its
authors' own code (Cheng et al. 2021, arXiv 2103.16562)."""
HAUSDORFF_PERCENTILE = 95.0


class MaskPair:
    """A predicted mask and the true one, and what several scores are computed from.

    Attributes:
        predicted: bool, cut to the box around both masks: no score changes, for beyond it there
            is no car.
        truth: The same part of the true mask.
        diagonal: Of the whole photo, in pixels.
        true_positives: Pixels rightly taken for car.
        false_positives: Pixels taken for car that are not.
        false_negatives: Pixels of the car that were not found.
    """

    def __init__(self, predicted: np.ndarray, truth: np.ndarray):
        if predicted.shape != truth.shape:
            raise ValueError(f"predicted has shape {predicted.shape}, truth has {truth.shape}")
        box = Box.around(predicted | truth)
        self.predicted, self.truth = box.of(predicted), box.of(truth)
        self.diagonal = math.hypot(*truth.shape)
        self.true_positives = int(np.count_nonzero(self.predicted & self.truth))
        self.false_positives = int(np.count_nonzero(self.predicted)) - self.true_positives
        self.false_negatives = int(np.count_nonzero(self.truth)) - self.true_positives

    @property
    def dice(self) -> float:
        """2·TP / (2·TP + FP + FN)."""
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)

    @cached_property
    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        """See `surface_distances`."""
        return surface_distances(self.predicted, self.truth)

    def boundary_iou(self, width: float) -> float:
        """See `boundary_iou`; width in pixels, rounded, at least 1."""
        return boundary_iou(self.predicted, self.truth, max(1, round(width)))


@dataclass(frozen=True)
class Score:
    """Description of a score.

    Attributes:
        compute: Its value for a pair of masks.
        label: What tables and plots call it.
        meaning: What it says, in a sentence or two.
        format: How its values are written.
        less_is_better: Whether the largest value is the worst.
    """

    compute: Callable[[MaskPair], float]
    label: str
    meaning: str
    format: str = ".4f"
    less_is_better: bool = False


def _score(compute: Callable[[MaskPair], float], label: str, meaning: str, **options: Any) -> Any:
    return field(metadata={"score": Score(compute, label, meaning, **options)})


@dataclass(frozen=True)
class PhotoScore:
    """The scores of one photo; what each of them means is in `SCORES`."""

    dice: float = _score(
        lambda pair: pair.dice, "Dice", "2·TP / (2·TP + FP + FN), 0 to 1. 1 is perfect."
    )
    iou: float = _score(
        lambda pair: _ratio(
            pair.true_positives, pair.true_positives + pair.false_positives + pair.false_negatives
        ),
        "IoU",
        "TP / (TP + FP + FN), 0 to 1.",
    )
    precision: float = _score(
        lambda pair: _ratio(pair.true_positives, pair.true_positives + pair.false_positives),
        "Precision",
        "Fraction of the predicted foreground that is foreground. Low: many false positives.",
    )
    recall: float = _score(
        lambda pair: _ratio(pair.true_positives, pair.true_positives + pair.false_negatives),
        "Recall",
        "Fraction of the true foreground that was found. Low: many false negatives.",
    )
    edge_error_px: float = _score(
        lambda pair: edge_error(pair.dice, pair.truth, pair.diagonal),
        "Edge error, px",
        "Width of the band that all wrong pixels would make if they lay evenly along the true "
        "edge, in pixels of the photo. Says more than Dice where Dice is near 1.",
        format=".2f",
        less_is_better=True,
    )
    false_positives: int = _score(
        lambda pair: pair.false_positives,
        "False positives, px",
        "Background pixels that were predicted as foreground.",
        format=",.0f",
        less_is_better=True,
    )
    false_negatives: int = _score(
        lambda pair: pair.false_negatives,
        "False negatives, px",
        "Foreground pixels that were predicted as background.",
        format=",.0f",
        less_is_better=True,
    )
    boundary_iou_2px: float = _score(
        lambda pair: pair.boundary_iou(2),
        "Boundary IoU, 2 px",
        "IoU of the bands within 2 px inside the edges of mask and truth (Cheng et al. 2021).",
    )
    boundary_iou_diagonal: float = _score(
        lambda pair: pair.boundary_iou(DIAGONAL_FRACTION * pair.diagonal),
        "Boundary IoU, 2%",
        "The same with bands as wide as 2% of the photo's diagonal.",
    )
    surface_dice_1px: float = _score(
        lambda pair: surface_dice(pair.distances, tolerance=1),
        "Surface Dice, 1 px",
        "Fraction of both edges that lies within 1 px of the other (normalised surface Dice).",
    )
    surface_dice_2px: float = _score(
        lambda pair: surface_dice(pair.distances, tolerance=2),
        "Surface Dice, 2 px",
        "The same within 2 px.",
    )
    surface_dice_4px: float = _score(
        lambda pair: surface_dice(pair.distances, tolerance=4),
        "Surface Dice, 4 px",
        "The same within 4 px.",
    )
    hausdorff95_px: float = _score(
        lambda pair: hausdorff_distance(pair.distances, pair.diagonal, HAUSDORFF_PERCENTILE),
        "95% Hausdorff, px",
        "Distance between the edges that 95% of them do not exceed, in pixels.",
        format=".1f",
        less_is_better=True,
    )

    def as_dict(self) -> dict[str, float]:
        """The scores by name."""
        return asdict(self)


SCORES: Mapping[str, Score] = MappingProxyType(
    {field.name: field.metadata["score"] for field in fields(PhotoScore)}
)
"""Descriptions of the scores, by their names in tables."""


def score_mask(predicted: np.ndarray, truth: np.ndarray) -> PhotoScore:
    """Score a mask against the truth.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> truth = np.array([[True, True, False, False]])
        >>> score_mask(np.array([[True, False, True, False]]), truth).dice
        0.5
    """
    pair = MaskPair(predicted, truth)
    values: dict[str, Any] = {name: score.compute(pair) for name, score in SCORES.items()}
    return PhotoScore(**values)


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks, 1 where both are empty."""
    return MaskPair(predicted, truth).dice


def edge_error(dice: float, truth: np.ndarray, diagonal: float) -> float:
    """Dice as a distance: 2·area·(1 − Dice) / perimeter, in pixels.

    The wrong pixels, spread evenly along the true edge, make a band of about this width. Where
    there is error but no outline (an empty truth, or a single pixel), it is the diagonal.
    """
    if dice == 1:
        return 0.0
    edge = perimeter(truth)
    area = int(np.count_nonzero(truth))
    return 2 * area * (1 - dice) / edge if edge else diagonal


def boundary_iou(predicted: np.ndarray, truth: np.ndarray, width: int) -> float:
    """IoU of the bands along the inner side of both edges (Cheng et al. 2021, equation 1).

    A pixel of a mask is in its band if the square that reaches ``width`` pixels to all sides of
    it holds a pixel outside the mask, or beyond the frame: the authors' own code erodes by a
    3×3 square ``width`` times, which leaves the same pixels.

    Args:
        predicted: bool (height, width).
        truth: bool (height, width).
        width: Width of the band in pixels, at least 1.

    Example:
        >>> boundary_iou(np.ones((1, 3), bool), np.ones((1, 3), bool), width=1)
        1.0
    """
    predicted_band, true_band = _inner_band(predicted, width), _inner_band(truth, width)
    shared = int(np.count_nonzero(predicted_band & true_band))
    return _ratio(shared, int(np.count_nonzero(predicted_band | true_band)))


def surface_distances(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances between the surfaces of two masks.

    Returns:
        float32 (edge pixels,), in pixels: from each edge pixel of the prediction to the nearest
        one of the truth, and from each of the truth to the nearest one of the prediction;
        infinite where the other mask is empty.
    """
    predicted_edge, true_edge = edge_pixels(predicted), edge_pixels(truth)
    return distance_to(true_edge)[predicted_edge], distance_to(predicted_edge)[true_edge]


def surface_dice(distances: tuple[np.ndarray, np.ndarray], tolerance: float) -> float:
    """Fraction of both surfaces that lies within a tolerance of the other one, 0 to 1.

    Also called normalised surface Dice, NSD (Nikolov et al. 2018, arXiv 1809.04430), here
    with edge pixels in place of surface elements.

    Args:
        distances: What `surface_distances` returns.
        tolerance: Distance in pixels that still counts as right.
    """
    within = sum(int(np.count_nonzero(distance <= tolerance)) for distance in distances)
    return _ratio(within, sum(len(distance) for distance in distances))


def hausdorff_distance(
    distances: tuple[np.ndarray, np.ndarray], diagonal: float, percentile: float = 100.0
) -> float:
    """Hausdorff distance between two surfaces in pixels, or a robust percentile of it.

    The percentile is taken of each direction alone, between neighbouring values linearly; the
    larger of the two counts.

    Args:
        distances: What `surface_distances` returns.
        diagonal: The photo's diagonal in pixels: the result where one mask alone is empty.
        percentile: 100 for the plain distance, the largest of all.
    """
    empty = [len(distance) == 0 for distance in distances]
    if any(empty):
        return 0.0 if all(empty) else diagonal
    return max(float(np.percentile(distance, percentile)) for distance in distances)


def perimeter(mask: np.ndarray) -> float:
    """Length in pixels of all outlines of a mask, holes included, through pixel centres."""
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    outlines, _ = cv2.findContours(pixels, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return float(sum(cv2.arcLength(outline, closed=True) for outline in outlines))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _inner_band(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask that are within ``width`` pixels of its outside; bool."""
    return near_outside(mask, np.ones((2 * width + 1, 2 * width + 1), np.uint8))
