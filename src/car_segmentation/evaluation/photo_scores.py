"""Scores of many photos at native size, in parallel, within a bound on their pixels in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from car_segmentation.core.parallel import stream_photos
from car_segmentation.core.pixel_budget import Budget
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_truth
from car_segmentation.evaluation.scores import IDENTITY, score_mask
from car_segmentation.prediction.segmenter import to_native_size

Result = TypeVar("Result")


@dataclass(frozen=True)
class PhotoResult:
    """Scores and statistics of the prediction of one photo, at its native size.

    Attributes:
        row: The photo's row of the photo table; its columns are attributes.
        probability: float32 (height, width), 0 to 1, enlarged from the network's own size; 0 where
            the mask is ignored, so that nothing counts there.
        truth: bool (height, width).
        threshold: Probability from which a pixel is car.
        ignored: bool (height, width), True where nobody said what it is; None for nowhere.
    """

    row: Any
    probability: np.ndarray
    truth: np.ndarray
    threshold: float
    ignored: np.ndarray | None = None

    @cached_property
    def predicted(self) -> np.ndarray:
        """The predicted mask; bool (height, width)."""
        return self.probability >= self.threshold

    @cached_property
    def photo(self) -> np.ndarray:
        """The photo, read when first asked for; uint8 RGB (height, width, 3)."""
        return read_photo(Path(self.row.photo_path), self.truth.shape)


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
    budget = Budget()

    def work(item: tuple[int, Any]) -> Result:
        position, row = item
        truth = read_truth(Path(row.mask_path))
        with budget.take(truth.foreground.size):
            probability = to_native_size(probabilities.image(position), *truth.foreground.shape)
            probability = truth.zero_where_ignored(probability)
            result = PhotoResult(row, probability, truth.foreground, threshold, truth.ignored)
            return measure(result)

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
        `scores.PhotoScore`.
    """
    return worst_first(measure_photos(score_photo, probabilities, photo_table, threshold))


def worst_first(scores: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A table of what `score_photo` returns, the lowest Dice first."""
    return pd.DataFrame(scores).sort_values(["dice", "photo_id"], ignore_index=True)
