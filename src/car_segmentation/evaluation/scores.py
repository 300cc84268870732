"""How good a mask is: one score per photo, at native size. Masks are bool (height, width).

**Empty masks.** A ratio of nothing to nothing is 1, as Kaggle defines Dice for two empty masks, and
a distance between two empty masks is 0. Where one mask alone is empty, Dice, IoU, boundary IoU
and surface Dice are 0, and distances are the diagonal of the photo: the longest that fits,
where infinity would make every mean infinite.

**Distances between surfaces** are defined differently by different tools, whose results disagree
(Podobnik and Vrtovec 2024, arXiv 2410.02630). Here the surface of a mask is its edge pixels
(`edges.edge_pixels`), each counted once, and distances run between pixel centres, as in MONAI: an
error of n whole pixels is at distance n, and holes have surfaces too.
"""

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from car_segmentation.evaluation.edges import distance_to, edge_pixels

PROBABILITY_LEVELS = 256
"""Thresholds are searched in steps of 1/256."""
DIAGONAL_SHARE = 0.02
"""Width of the wide band of boundary IoU, as a share of the photo's diagonal: the default of its
authors' own code (Cheng et al. 2021, arXiv 2103.16562)."""
HAUSDORFF_PERCENTILE = 95.0


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
        boundary_iou_2px: `boundary_iou` of bands 2 pixels wide, 0 to 1.
        boundary_iou_diagonal: `boundary_iou` of bands as wide as 2 % of the photo's diagonal.
        surface_dice_1px: `surface_dice` at a tolerance of 1 pixel, 0 to 1.
        surface_dice_2px: The same at 2 pixels.
        surface_dice_4px: The same at 4 pixels.
        hausdorff95_px: 95 % `hausdorff_distance`, in pixels.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    edge_error_px: float
    false_positives: int
    false_negatives: int
    boundary_iou_2px: float
    boundary_iou_diagonal: float
    surface_dice_1px: float
    surface_dice_2px: float
    surface_dice_4px: float
    hausdorff95_px: float

    def as_dict(self) -> dict[str, float]:
        """The scores by name."""
        return asdict(self)


def score_mask(predicted: np.ndarray, truth: np.ndarray) -> PhotoScore:
    """Score a mask against the truth.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> truth = np.array([[True, True, False, False]])
        >>> score_mask(np.array([[True, False, True, False]]), truth).dice
        0.5
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted has shape {predicted.shape}, truth has {truth.shape}")
    diagonal = math.hypot(*truth.shape)
    predicted, truth = _cropped(predicted, truth)
    true_positives = int(np.count_nonzero(predicted & truth))
    false_positives = int(np.count_nonzero(predicted)) - true_positives
    false_negatives = int(np.count_nonzero(truth)) - true_positives
    wrong = false_positives + false_negatives
    dice = _ratio(2 * true_positives, 2 * true_positives + wrong)
    distances = surface_distances(predicted, truth)
    return PhotoScore(
        dice=dice,
        iou=_ratio(true_positives, true_positives + wrong),
        precision=_ratio(true_positives, true_positives + false_positives),
        recall=_ratio(true_positives, true_positives + false_negatives),
        edge_error_px=edge_error(dice, truth, diagonal),
        false_positives=false_positives,
        false_negatives=false_negatives,
        boundary_iou_2px=boundary_iou(predicted, truth, width=2),
        boundary_iou_diagonal=boundary_iou(
            predicted, truth, width=max(1, round(DIAGONAL_SHARE * diagonal))
        ),
        surface_dice_1px=surface_dice(distances, tolerance=1),
        surface_dice_2px=surface_dice(distances, tolerance=2),
        surface_dice_4px=surface_dice(distances, tolerance=4),
        hausdorff95_px=hausdorff_distance(distances, diagonal, HAUSDORFF_PERCENTILE),
    )


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
    """Share of both surfaces that lies within a tolerance of the other one, 0 to 1.

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


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _cropped(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both masks within the box round both: no score changes, for beyond it there is no car."""
    left, top, width, height = cv2.boundingRect((predicted | truth).view(np.uint8))
    if not width:
        return predicted, truth
    box = slice(top, top + height), slice(left, left + width)
    return predicted[box], truth[box]


def _inner_band(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask that are within ``width`` pixels of its outside; bool."""
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    core = cv2.erode(pixels, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.not_equal(pixels, core)
