"""Calibration of probabilities: of the pixels at 0.8, are eight in ten on the car?

Almost all pixels lie deep inside or far outside a car and are trivially right, so that any model
looks calibrated over all of them; near the true edge is where probabilities matter.
"""

import numpy as np
import pandas as pd

from car_segmentation.evaluation.threshold import PROBABILITY_LEVELS, probability_levels

BINS = 16
"""Guo et al. 2017 take 15; this divides the 256 levels that are counted."""
NEAR_EDGE_PX = 8
"""Largest distance from the true edge, in native pixels, that counts as near it."""


def calibration_counts(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count pixels by their probability; the counts of several photos may be added up.

    Args:
        probability: float, 0 to 1, of any shape: a whole map, or the pixels that matter.
        truth: bool, the same shape.

    Returns:
        float64 (256, 3): for probabilities from k/256 to (k + 1)/256, the number of pixels, how
        many of them are on the car, and the sum of their probabilities.
    """
    level, on_car = probability_levels(probability).ravel(), truth.ravel()
    pixels = np.bincount(level, minlength=PROBABILITY_LEVELS)
    car_pixels = np.bincount(level[on_car], minlength=PROBABILITY_LEVELS)
    total = np.bincount(level, probability.ravel(), minlength=PROBABILITY_LEVELS)
    return np.column_stack([pixels, car_pixels, total]).astype(np.float64)


def reliability_table(counts: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Mean probabilities and observed frequencies, in bins of equal width.

    Args:
        counts: What `calibration_counts` returns, of one photo or summed over many.
        bins: How many; must divide 256.

    Returns:
        A row for each bin that holds pixels: ``low`` and ``high``, its bounds; ``pixels``;
        ``probability``, their mean; ``car_fraction``, the fraction that is on the car.
    """
    binned = counts.reshape(bins, -1, counts.shape[1]).sum(axis=1)
    bounds = np.linspace(0, 1, bins + 1)
    table = pd.DataFrame({"low": bounds[:-1], "high": bounds[1:], "pixels": binned[:, 0]})
    table = table.astype({"pixels": np.int64})[binned[:, 0] > 0].reset_index(drop=True)
    pixels, car_pixels, total = binned[binned[:, 0] > 0].T
    return table.assign(probability=total / pixels, car_fraction=car_pixels / pixels)


def expected_calibration_error(counts: np.ndarray, bins: int = BINS) -> float:
    """Mean gap between probability and frequency, weighed by pixels; 0 to 1.

    Guo et al. 2017 ("On calibration of modern neural networks", equation 3), for the probability
    of the car rather than that of the more likely of two classes: it distinguishes too high
    from too low. Without pixels it is 0.

    Args:
        counts: What `calibration_counts` returns, of one photo or summed over many.
        bins: How many; must divide 256.
    """
    table = reliability_table(counts, bins)
    if table.empty:
        return 0.0
    gap = (table["car_fraction"] - table["probability"]).abs()
    return float(np.average(gap, weights=table["pixels"]))
