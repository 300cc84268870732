"""Scores of many photos at native size, in parallel, one photo for each core in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from car_segmentation.core.parallel import stream_photos
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_mask, read_photo
from car_segmentation.evaluation.bootstrap import mean_interval, median_interval
from car_segmentation.evaluation.scores import (
    PROBABILITY_LEVELS,
    PhotoScore,
    dice_at_thresholds,
    score_mask,
)
from car_segmentation.prediction.probability_maps import predict_batches, to_native_size

if TYPE_CHECKING:
    import keras

Result = TypeVar("Result")

IDENTITY = ["photo_id", "car", "view"]
"""The columns that say which photo a score is of."""
SCORES = tuple(field.name for field in fields(PhotoScore))
LESS_IS_BETTER = ("edge_error_px", "false_positives", "false_negatives", "hausdorff95_px")
"""The scores whose largest value is the worst."""
SUMMARY_COLUMNS = [
    *("score", "mean", "mean_low", "mean_high", "median", "median_low", "median_high", "worst"),
]
HALF_COVERED = 255 / 2
"""Where a soft mask (uint8) is cut: at pixels that the car covers by half."""


@dataclass(frozen=True)
class PhotoResult:
    """What there is to know about the prediction of one photo, all at its native size.

    Attributes:
        row: The photo's row of the photo table; its columns are attributes.
        probability: float32 (height, width), 0 to 1, enlarged from the network's own size.
        truth: bool (height, width).
        threshold: Probability from which a pixel is car.
    """

    row: Any
    probability: np.ndarray
    truth: np.ndarray
    threshold: float

    @cached_property
    def predicted(self) -> np.ndarray:
        """The predicted mask; bool (height, width)."""
        return self.probability >= self.threshold

    @cached_property
    def photo(self) -> np.ndarray:
        """The photo, read when first asked for; uint8 RGB (height, width, 3)."""
        return read_photo(Path(self.row.photo_path))


def measure_photos(
    measure: Callable[[PhotoResult], Result],
    probabilities: ImageStack,
    photo_table: pd.DataFrame,
    threshold: float,
    description: str = "score photos",
) -> Iterator[Result]:
    """Go over photos once, and take from each whatever is to be known about it.

    Args:
        measure: Called once per photo, in a thread; what it returns should be small.
        probabilities: Probability maps of at least these photos.
        photo_table: A row per photo, with ``photo_id``, ``mask_path``, and what ``measure``
            uses: ``photo_path`` for the photo itself.
        threshold: Probability from which a pixel is car.
        description: What the progress bar says.

    Yields:
        What ``measure`` returns, in the order of the table.
    """
    rows = probabilities.rows_of(photo_table["photo_id"].tolist())

    def work(item: tuple[int, Any]) -> Result:
        position, row = item
        truth = read_mask(Path(row.mask_path))
        probability = to_native_size(probabilities.pixels[position], *truth.shape)
        return measure(PhotoResult(row, probability, truth, threshold))

    items = zip(rows, photo_table.itertuples(), strict=True)
    yield from stream_photos(work, items, len(rows), description, workers="threads")


def score_photo(result: PhotoResult) -> dict[str, Any]:
    """One photo's row of `score_photos`."""
    identity = {name: getattr(result.row, name) for name in IDENTITY}
    return identity | score_mask(result.predicted, result.truth).as_dict()


def score_photos(
    probabilities: ImageStack, photo_table: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Score the predictions of photos, each at its native size.

    Args:
        probabilities: Probability maps of at least these photos.
        photo_table: Columns ``photo_id``, ``car``, ``view`` and ``mask_path``, a row per photo.
        threshold: Probability from which a pixel is car.

    Returns:
        A row per photo, the worst first: ``photo_id``, ``car``, ``view`` and the fields of
        `scoring.PhotoScore`.
    """
    return worst_first(measure_photos(score_photo, probabilities, photo_table, threshold))


def worst_first(scores: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A table of what `score_photo` returns, the lowest Dice first."""
    return pd.DataFrame(scores).sort_values(["dice", "photo_id"], ignore_index=True)


def ceiling(soft_masks: ImageStack, photo_table: pd.DataFrame) -> dict[str, float]:
    """What a perfect predictor would score, if it saw photos as small as the network does.

    It knows, for each of the network's pixels, what share of it the car covers; nobody could know
    more at that size. These shares are enlarged, cut at a half, and scored as predictions are.

    Args:
        soft_masks: The true masks as small as the network sees them, uint8 (height, width).
        photo_table: Columns ``photo_id``, ``car``, ``view`` and ``mask_path``, a row per photo.

    Returns:
        The ``photos``, and the means ``dice_mean`` and ``edge_error_px`` over them.
    """
    results = measure_photos(
        score_photo, soft_masks, photo_table, HALF_COVERED, "score a perfect predictor"
    )
    scores = pd.DataFrame(results)
    return {
        "photos": len(scores),
        "dice_mean": float(scores["dice"].mean()),
        "edge_error_px": float(scores["edge_error_px"].mean()),
    }


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


def summarise(photo_scores: pd.DataFrame, seed: int = 0) -> dict[str, float]:
    """The scores of a whole set in a few numbers.

    Args:
        photo_scores: What `score_photos` returns.
        seed: Of the bootstrap.

    Returns:
        How many photos and cars; mean, median and worst Dice; the means of the other scores; and
        ``dice_mean_low`` and ``dice_mean_high``, the 95 % interval of mean Dice by bootstrap over
        cars, which are missing with one car.
    """
    dice, cars = photo_scores["dice"], photo_scores["car"]
    interval = mean_interval(dice, cars, seed)
    means = photo_scores[[name for name in SCORES if name != "dice"]].mean()
    return {
        "photos": len(photo_scores),
        "cars": int(cars.nunique()),
        "dice_mean": float(dice.mean()),
        "dice_median": float(dice.median()),
        "dice_worst": float(dice.min()),
        **({"dice_mean_low": interval.low, "dice_mean_high": interval.high} if interval else {}),
        **{
            name if name == "edge_error_px" else f"{name}_mean": float(mean)
            for name, mean in means.items()
        },
    }


def summary_table(photo_scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean, median and worst of every score, with what is uncertain about them.

    Args:
        photo_scores: What `score_photos` returns.
        seed: Of the bootstrap.

    Returns:
        A row per score: ``score``, ``mean``, ``mean_low``, ``mean_high``, ``median``,
        ``median_low``, ``median_high`` and ``worst``. Low and high bound the 95 % interval by
        bootstrap over cars; they are NaN with one car, which says nothing about others.
    """
    cars = photo_scores["car"]
    rows = []
    for name in SCORES:
        values = photo_scores[name]
        row = {"score": name, "mean": values.mean(), "median": values.median()}
        row["worst"] = values.max() if name in LESS_IS_BETTER else values.min()
        for statistic, interval_of in (("mean", mean_interval), ("median", median_interval)):
            interval = interval_of(values, cars, seed)
            row[f"{statistic}_low"] = interval.low if interval else np.nan
            row[f"{statistic}_high"] = interval.high if interval else np.nan
        rows.append(row)
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
