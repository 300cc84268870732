"""Two runs compared: which photos got better, which worse, and what was changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.evaluation.bootstrap import Difference, paired_difference
from car_segmentation.evaluation.scores import IDENTITY

RENAMED_METRICS = {"ceiling.dice_mean": "upper_bound.dice_mean"}
"""Metrics that older runs have under another name."""

SAME_AREA = 1.5e-6
"""Fractions of a photo that differ by no more are the same number, rounded to six places."""


@dataclass(frozen=True)
class RunRecord:
    """Results of a run.

    Attributes:
        run_id: MLflow's.
        name: What a list of runs shows.
        started: When, as text.
        parameters: All parameters by dotted name, as text.
        metrics: The last value of each metric.
        photo_scores: A row per test photo: ``photo_id``, ``car``, ``view``, ``dice``,
            ``edge_error_px`` and more.
        photo_splits: The photo table with the split of each photo.
    """

    run_id: str
    name: str
    started: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    photo_scores: pd.DataFrame
    photo_splits: pd.DataFrame

    @property
    def label(self) -> str:
        """The name, and the beginning of the id, for names may be shared."""
        return f"{self.name} ({self.run_id[:8]})"


def compare_scores(before: RunRecord, after: RunRecord) -> pd.DataFrame:
    """The photos that both runs scored by the same mask, and how the scores of each changed.

    Returns:
        A row per photo, the one that lost most first: ``photo_id``, ``car``, ``view``,
        ``dice_before``, ``dice_after``, ``change`` (of Dice), ``edge_error_before`` and
        ``edge_error_after`` (pixels).

    Raises:
        UserError: If no photo was scored by both.
    """
    columns = {"dice": "dice", "edge_error_px": "edge_error"}
    # Cars and views are the later run's: the pattern that finds them may have been corrected.
    first = before.photo_scores[["photo_id", *columns]].rename(columns=columns)
    second = after.photo_scores[[*IDENTITY, *columns]].rename(columns=columns)
    changes = first.merge(second, on="photo_id", suffixes=("_before", "_after"))
    if changes.empty:
        raise UserError(
            f"No photo was scored by both {before.label} and {after.label}: compare runs that "
            "test the same photos (same raw_data, seed, split and pairing.max_cars)."
        )
    changes = changes[~changes["photo_id"].isin(scored_by_other_masks(before, after))]
    if changes.empty:
        raise UserError(
            f"The masks of all photos that both {before.label} and {after.label} scored were "
            "corrected between the two: score the first model again (`kedro run "
            "--pipelines=reporting`), or make that run again."
        )
    changes["change"] = changes["dice_after"] - changes["dice_before"]
    changes = changes.sort_values(["change", "photo_id"], ignore_index=True)
    return changes[
        [*IDENTITY, "dice_before", "dice_after", "change", "edge_error_before", "edge_error_after"]
    ]


def dice_difference(changes: pd.DataFrame, seed: int) -> Difference:
    """The mean change of Dice, with its interval over cars, of `compare_scores`' table.

    Args:
        changes: Columns ``dice_before``, ``dice_after`` and ``car``.
        seed: Of the bootstrap.
    """
    return paired_difference(changes["dice_before"], changes["dice_after"], changes["car"], seed)


def only_in_one(before: RunRecord, after: RunRecord) -> tuple[list[str], list[str]]:
    """Photos that only the first and only the second run scored."""
    first, second = (set(run.photo_scores["photo_id"]) for run in (before, after))
    return sorted(first - second), sorted(second - first)


def scored_by_other_masks(before: RunRecord, after: RunRecord) -> list[str]:
    """Photos that both runs scored, and whose true mask was corrected between the two.

    Masks are told apart by their area, a millionth of the photo counting.
    """
    area = "foreground_share"
    if not all(area in run.photo_splits for run in (before, after)):
        return []
    scored = [
        run.photo_splits.merge(run.photo_scores["photo_id"])[["photo_id", area]]
        for run in (before, after)
    ]
    both = scored[0].merge(scored[1], on="photo_id", suffixes=("_before", "_after"))
    differs = (both[f"{area}_before"] - both[f"{area}_after"]).abs() > SAME_AREA
    return sorted(both.loc[differs, "photo_id"])


def largest_changes(changes: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The photos that lost most, and those that gained most, at most ``count`` of each."""
    worse = changes[changes["change"] < 0].head(count)
    better = changes[changes["change"] > 0].iloc[::-1].head(count)
    return worse, better


def changes_by_car(changes: pd.DataFrame) -> pd.DataFrame:
    """Means over the photos of each car, the car that lost most first.

    Returns:
        ``car``, ``photos``, ``dice_before``, ``dice_after`` and ``change``.
    """
    cars = changes.groupby("car", as_index=False).agg(
        photos=("photo_id", "size"),
        dice_before=("dice_before", "mean"),
        dice_after=("dice_after", "mean"),
        change=("change", "mean"),
    )
    return cars.sort_values(["change", "car"], ignore_index=True)


def changed_parameters(before: RunRecord, after: RunRecord) -> pd.DataFrame:
    """Parameters that differ: ``parameter``, ``before``, ``after``; missing is empty text."""
    names = sorted(before.parameters.keys() | after.parameters.keys())
    values = [
        (name, before.parameters.get(name, ""), after.parameters.get(name, "")) for name in names
    ]
    different = [row for row in values if row[1] != row[2]]
    return pd.DataFrame(different, columns=["parameter", "before", "after"])


def metrics_side_by_side(before: RunRecord, after: RunRecord) -> pd.DataFrame:
    """Metrics of both runs: ``metric``, ``before``, ``after``, ``change``; missing is NaN.

    Metrics of older runs are listed under their current names.
    """
    columns = {
        when: pd.Series({RENAMED_METRICS.get(name, name): value for name, value in metrics.items()})
        for when, metrics in (("before", before.metrics), ("after", after.metrics))
    }
    table = pd.DataFrame(columns, dtype=float)
    table["change"] = table["after"] - table["before"]
    return table.rename_axis("metric").sort_index().reset_index()


def difference_metrics(difference: Difference) -> dict[str, float]:
    """The change of Dice, as logged to MLflow; without the interval where there is none.

    To six digits, as the scores of photos are written: MLflow's lists would show sixteen.
    """
    numbers: dict[str, float] = {
        "dice_change": difference.mean,
        "photos_better": difference.better,
        "photos_worse": difference.worse,
    }
    if difference.interval is not None:
        numbers["dice_change_low"] = difference.interval.low
        numbers["dice_change_high"] = difference.interval.high
    return {f"comparison.{name}": round(value, 6) for name, value in numbers.items()}
