"""Nodes of the run comparison pipeline."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.bootstrap import Difference
from car_segmentation.evaluation.run_comparison import (
    RunRecord,
    compare_scores,
    dice_difference,
    difference_metrics,
    largest_changes,
    only_in_one,
    scored_by_other_masks,
)
from car_segmentation.experiments import run_reading, tracking
from car_segmentation.parameters import ComparedRuns, RunComparison, Subject
from car_segmentation.prediction.run_lengths import decode_runs
from car_segmentation.prediction.submission import record_name
from car_segmentation.report.error_panels import change_panel

logger = logging.getLogger(__name__)


def fetch_runs(runs: dict[str, Any]) -> tuple[RunRecord, RunRecord]:
    """Fetch from MLflow what two runs recorded; the last two, if none are named."""
    named = ComparedRuns(**runs)
    before, after = map(run_reading.read_run, run_reading.compared_runs(named.before, named.after))
    tracking.describe_comparison(before, after)
    return before, after


def compare_photos(before: RunRecord, after: RunRecord) -> pd.DataFrame:
    """Pair the scores of every photo that both runs tested, the largest loss first."""
    for photos, run in zip(only_in_one(before, after), (before, after), strict=True):
        if photos:
            logger.warning(
                "%d photos were scored by %s alone, and are left out: %s",
                len(photos),
                run.label,
                f"{photos[0]} …" if len(photos) > 1 else photos[0],
            )
    corrected = scored_by_other_masks(before, after)
    if corrected:
        logger.warning(
            "The masks of %d photos were corrected between the two runs, which scored them by "
            "different masks; they are left out: %s",
            len(corrected),
            f"{corrected[0]} …" if len(corrected) > 1 else corrected[0],
        )
    return compare_scores(before, after)


def measure_difference(changes: pd.DataFrame, seed: int, subject: dict[str, str]) -> Difference:
    """Measure how Dice changed: its mean over photos, with an interval over cars."""
    from car_segmentation.report.comparison_report import verdict  # And Plotly: 0.3 s.

    difference = dice_difference(changes, seed)
    logger.info("%s", verdict(difference, Subject(**subject)))
    return difference


def track_difference(difference: Difference) -> dict[str, dict[str, float]]:
    """Hand the numbers of the comparison to MLflow."""
    metrics = difference_metrics(difference)
    return {name: {"value": value, "step": 0} for name, value in metrics.items()}


def draw_changes(
    before: RunRecord, after: RunRecord, changes: pd.DataFrame, run_comparison: dict[str, Any]
) -> dict[str, Callable[[], np.ndarray]]:
    """Draw the photos that changed most: both error maps, and where they differ most."""
    files = after.photo_splits[["photo_id", "photo_path", "mask_path", "height", "width"]]
    photos = _on_this_machine(_most_changed(changes, run_comparison).merge(files, on="photo_id"))
    names = [record_name(*it) for it in zip(photos["photo_id"], photos["photo_path"], strict=True)]
    masks = [run_reading.read_masks(run.run_id, names) for run in (before, after)]

    def draw(photo: Any) -> np.ndarray:
        name = record_name(photo.photo_id, photo.photo_path)
        first, second = (decode_runs(runs[name], photo.height, photo.width) for runs in masks)
        truth = read_mask(Path(photo.mask_path))
        caption = (
            f"{photo.photo_id}   Dice {photo.dice_before:.4f} → {photo.dice_after:.4f} "
            f"({photo.change:+.4f})   edge error {photo.edge_error_before:.1f} → "
            f"{photo.edge_error_after:.1f} px"
        )
        picture = read_photo(Path(photo.photo_path), truth.shape)
        return change_panel(picture, truth, first, second, caption)

    return {photo.picture: partial(draw, photo) for photo in _rows(photos)}


def write_page(
    before: RunRecord,
    after: RunRecord,
    changes: pd.DataFrame,
    difference: Difference,
    pictures: Mapping[str, Path],
    run_comparison: dict[str, Any],
    subject: dict[str, str],
) -> str:
    """Put everything on one page that opens from disk."""
    from car_segmentation.report.comparison_report import comparison_page

    photos = _most_changed(changes, run_comparison)

    def of_kind(kind: str) -> Iterator[tuple[str, np.ndarray]]:
        for photo in _rows(photos[photos["kind"] == kind]):
            if photo.picture in pictures:
                yield photo.photo_id, read_photo(pictures[photo.picture])

    return comparison_page(
        before,
        after,
        changes,
        difference,
        of_kind("worse"),
        of_kind("better"),
        Subject(**subject),
    )


def _most_changed(changes: pd.DataFrame, run_comparison: dict[str, Any]) -> pd.DataFrame:
    """The photos that are drawn, each with its ``kind`` of change and its ``picture``'s name."""
    count = RunComparison(**run_comparison).pictures
    kinds = zip(("worse", "better"), largest_changes(changes, count), strict=True)
    photos = pd.concat(
        [rows.assign(kind=kind, rank=range(1, len(rows) + 1)) for kind, rows in kinds]
    )
    names = [f"{row.kind}_{row.rank:02d}_{row.photo_id}" for row in _rows(photos)]
    return photos.assign(picture=names)


def _on_this_machine(photos: pd.DataFrame) -> pd.DataFrame:
    """Those photos whose files are there; a comparison is of use without pictures too."""
    paths = zip(photos["photo_path"], photos["mask_path"], strict=True)
    there = np.array(
        [Path(photo).is_file() and Path(mask).is_file() for photo, mask in paths], bool
    )
    if not there.all():
        logger.warning(
            "%d of %d photos are not drawn, for they or their masks are no longer there: %s",
            np.count_nonzero(~there),
            len(photos),
            photos["photo_path"][~there].iloc[0],
        )
    return photos[there]


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples()
