"""Confidence intervals of means over photos: bootstrap over cars.

Photos of one car are nearly one photo, so cars are resampled, and all photos of a
drawn car come along (the cluster bootstrap: Field and Welsh 2007, "Bootstrapping clustered data").
Drawing photos would give intervals that are far too narrow.

Percentile intervals are too narrow where there are few to draw from. They are widened as Student's
t is wider than the normal distribution ("expanded percentiles": Hesterberg 2015, "What teachers
should know about the bootstrap").

There is no interval for the worst photo: a resample holds it or does not, so that the bootstrap
says nothing about worse ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
CELLS_AT_ONCE = 1_000_000
"""Resamples × photos that are worked on at a time, for the sake of memory: 8 MB an array."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""From the cars that are drawn, int (resamples, cars), to a number for each resample."""


@dataclass(frozen=True)
class Interval:
    """Where the true value lies with 95 % confidence, from ``low`` to ``high``."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Change of scores between two runs on the same photos.

    Attributes:
        mean: Mean of after − before over photos.
        interval: Its 95 % interval; None with one car.
        photos: How many photos were compared.
        cars: How many cars they show.
        better: Photos whose score rose.
        worse: Photos whose score fell.
    """

    mean: float
    interval: Interval | None
    photos: int
    cars: int
    better: int
    worse: int


def mean_interval(
    values: ArrayLike, cars: ArrayLike, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % interval of the mean over photos.

    Args:
        values: A finite number for each photo.
        cars: The car of each photo.
        seed: Of the resampling.
        resamples: How often the cars are drawn.

    Returns:
        The interval, or None with fewer than two cars: one car gives no interval.
    """
    names, car_of_photo = np.unique(np.asarray(cars), return_inverse=True)
    total = np.bincount(car_of_photo, np.asarray(values, np.float64))
    photos = np.bincount(car_of_photo)

    def mean_of(drawn: np.ndarray) -> np.ndarray:
        return total[drawn].sum(axis=-1) / photos[drawn].sum(axis=-1)

    return _interval(mean_of, len(names), seed, resamples, len(names))


def median_interval(
    values: ArrayLike, cars: ArrayLike, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """95 % interval of the median over photos; otherwise as `mean_interval`."""
    values = np.asarray(values, np.float64)
    names, car_of_photo = np.unique(np.asarray(cars), return_inverse=True)
    order = np.argsort(values, kind="stable")
    values, car_of_photo = values[order], car_of_photo[order]

    def median_of(drawn: np.ndarray) -> np.ndarray:
        return _weighted_median(values, _times_drawn(drawn)[..., car_of_photo])

    return _interval(median_of, len(names), seed, resamples, len(values))


def paired_difference(
    before: ArrayLike, after: ArrayLike, cars: ArrayLike, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Compute the change of photos' scores between two runs.

    Photo by photo, what is hard about a photo cancels out: a difference can be certain even
    where the intervals of both means overlap.

    Args:
        before: The score of each photo in the first run.
        after: The score of the same photos, in the same order, in the second run.
        cars: The car of each photo.
        seed: Of the resampling.
        resamples: How often the cars are drawn.

    Raises:
        ValueError: If there are no photos, or not as many in both runs.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape or not before.size:
        raise ValueError(f"cannot pair scores of shapes {before.shape} and {after.shape}")
    change = after - before
    return Difference(
        mean=float(change.mean()),
        interval=mean_interval(change, cars, seed, resamples),
        photos=len(change),
        cars=len(np.unique(np.asarray(cars))),
        better=int(np.count_nonzero(change > 0)),
        worse=int(np.count_nonzero(change < 0)),
    )


def _interval(
    statistic: Statistic, cars: int, seed: int, resamples: int, cells: int
) -> Interval | None:
    """The interval of a statistic of cars that are drawn; ``cells`` is what a resample takes."""
    if cars < 2:
        return None
    low, high = stats.bootstrap(
        (np.arange(cars),),
        lambda drawn, axis: statistic(drawn),
        n_resamples=resamples,
        batch=max(1, CELLS_AT_ONCE // cells),
        vectorized=True,
        confidence_level=1 - 2 * _tail(cars),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    # Of equal means, rounding in the percentiles may put one bound past the other.
    return Interval(*sorted((float(low), float(high))))


def _tail(cars: int) -> float:
    """Fraction of resamples to leave out at either end: 2.5 %, less with few cars."""
    quantile = float(stats.t.ppf((1 - CONFIDENCE) / 2, df=cars - 1))
    return float(stats.norm.cdf(math.sqrt(cars / (cars - 1)) * quantile))


def _times_drawn(drawn: np.ndarray) -> np.ndarray:
    """Count the draws of each car in each resample; int (resamples, cars)."""
    cars = drawn.shape[-1]
    resample = np.arange(drawn.size // cars).repeat(cars)
    counts = np.bincount(drawn.ravel() + cars * resample, minlength=drawn.size)
    return counts.reshape(drawn.shape)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The median of every value taken as often as its weight says."""
    up_to_here = weights.cumsum(axis=-1)
    photos = up_to_here[..., -1:]
    lower = (up_to_here > (photos - 1) // 2).argmax(axis=-1)
    upper = (up_to_here > photos // 2).argmax(axis=-1)
    return (values[lower] + values[upper]) / 2
