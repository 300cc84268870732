"""Signs that a predicted mask needs a hand, from the mask and the model's own doubt: no truth.

Masks are bool (height, width) at native size. Each signal is a number that grows with suspicion.
"""

import math

import cv2
import numpy as np
import pandas as pd

from car_segmentation.evaluation.label_errors import MAD_TO_SIGMA, VIEWS, mirror_view
from car_segmentation.evaluation.mask_geometry import edge_pixels, grown, holes, largest_part
from car_segmentation.prediction.photo_record import expected_dice

DOUBTFUL = (0.1, 0.9)
"""Probabilities between these are in doubt."""
STRAY = 0.05
"""Away from the edge, less than this far from 0 and 1 is no doubt."""
OFF_EDGE = 0.0026
"""Nearer to the mask's edge than this, doubt is the edge's own; fraction of the diagonal (6 px)."""

VIEW_FLOORS = {"area": 0.003, "centre_x": 0.0005, "centre_y": 0.0005, "hole_fraction": 0.0005}
"""What is compared between views, and the least standard deviation that it is taken to have: a car
whose views agree better than this has no outliers. Area is logarithmic, centres are fractions of
the photo's diagonal (1 px), holes are fractions of the mask."""


def mask_signals(mask: np.ndarray) -> dict[str, float]:
    """What a mask's shape says.

    Returns:
        ``loose_fraction``, of the mask's area outside its largest connected piece; ``pieces``, how
        many there are (8-connected); ``hole_fraction``, area of holes by that of the mask;
        ``holes``, how many (4-connected); and what `view_outliers` compares: ``area``, the natural
        logarithm of pixels; ``centre_x``, ``centre_y``, from the photo's centre to the mask's,
        right and down, fractions of the diagonal. An empty mask has no pieces, and NaN elsewhere.
    """
    area = int(np.count_nonzero(mask))
    if area == 0:
        nothing = ("loose_fraction", "hole_fraction", "area", "centre_x", "centre_y")
        return {"pieces": 0, "holes": 0} | dict.fromkeys(nothing, math.nan)
    enclosed = holes(mask)
    height, width = mask.shape
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    diagonal = math.hypot(height, width)
    return {
        "loose_fraction": 1 - int(np.count_nonzero(largest_part(mask))) / area,
        "pieces": _count(mask, 8),
        "hole_fraction": int(np.count_nonzero(enclosed)) / area,
        "holes": _count(enclosed, 4),
        "area": math.log(area),
        "centre_x": (moments["m10"] / area - (width - 1) / 2) / diagonal,
        "centre_y": (moments["m01"] / area - (height - 1) / 2) / diagonal,
    }


def doubt_signals(probability: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """What the model's doubt says.

    Args:
        probability: float32 (height, width), 0 to 1, at native size.
        mask: What it came to.

    Returns:
        ``expected_error``, 1 − the Dice that the model expects (`expected_dice`);
        ``edge_doubt``, pixels in doubt by pixels of the edge: how wide the doubtful band is;
        ``stray_doubt``, pixels of some doubt away from the edge, by pixels of the edge. An empty
        mask has an edge of one pixel.
    """
    edge = edge_pixels(mask)
    length = max(1, int(np.count_nonzero(edge)))
    low, high = DOUBTFUL
    in_doubt = (probability > low) & (probability < high)
    stray = (probability > STRAY) & (probability < 1 - STRAY)
    stray &= ~grown(edge, OFF_EDGE * math.hypot(*mask.shape))
    return {
        "expected_error": 1 - expected_dice(probability, mask),
        "edge_doubt": np.count_nonzero(in_doubt) / length,
        "stray_doubt": np.count_nonzero(stray) / length,
    }


def view_outliers(photos: pd.DataFrame) -> pd.Series:
    """How far a view stands out from the other views of its car on a turntable of 16.

    Each measure (`VIEW_FLOORS`) of view k is compared with that of view 18 − k, which sees the car
    from the other side. Their difference is counted in standard deviations from its median over
    the car's views (robust ones, of the median absolute deviation). It is as large for the right
    view as for the wrong one, so that the one nearer to the mean of the two views beside it counts
    half. The strongest measure is the signal. Views 1 and 9 face themselves: only their
    ``centre_x`` says something.

    Args:
        photos: A row per photo: ``car``, ``view`` (text or number) and the measures.

    Returns:
        Standard deviations, 0 or more, with the table's index; NaN where a car has not each of the
        views 1 to 16 once, with a mask.
    """
    found = pd.Series(np.nan, photos.index)
    numbers = pd.to_numeric(photos["view"], errors="coerce")
    for _, views in photos.assign(view=numbers).sort_values("view").groupby("car"):
        measures = views[list(VIEW_FLOORS)].to_numpy(float)
        if views["view"].tolist() == list(range(1, VIEWS + 1)) and np.isfinite(measures).all():
            found[views.index] = _outlying(measures)
    return found


def _outlying(measures: np.ndarray) -> np.ndarray:
    """The strongest measure's deviation of each view, from measures (views, measures)."""
    other_side = [mirror_view(view) - 1 for view in range(1, VIEWS + 1)]
    mirrored = measures[other_side] * [1, -1, 1, 1]  # Right is left from the other side.
    beside = (np.roll(measures, 1, axis=0) + np.roll(measures, -1, axis=0)) / 2
    bend = np.abs(measures - beside)
    fault = np.where(bend >= bend[other_side], 1, 0.5)
    return (fault * _deviations(measures - mirrored)).max(axis=1)


def _deviations(values: np.ndarray) -> np.ndarray:
    from_median = np.abs(values - np.median(values, axis=0))
    spread = MAD_TO_SIGMA * np.median(from_median, axis=0)
    return from_median / np.maximum(spread, list(VIEW_FLOORS.values()))


def _count(mask: np.ndarray, connectivity: int) -> int:
    """Connected parts of a mask."""
    return int(cv2.connectedComponents(mask.view(np.uint8), connectivity=connectivity)[0]) - 1
