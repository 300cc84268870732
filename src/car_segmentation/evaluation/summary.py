"""The scores of a whole set of photos in a few numbers."""

from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.evaluation.bootstrap import mean_interval, median_interval
from car_segmentation.evaluation.scores import SCORES


def summarise(photo_scores: pd.DataFrame, seed: int = 0) -> dict[str, float]:
    """A few numbers of all photos together.

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
    for name, score in SCORES.items():
        values = photo_scores[name]
        row: dict[str, Any] = {"score": name}
        for statistic, interval_of in (("mean", mean_interval), ("median", median_interval)):
            interval = interval_of(values, cars, seed)
            row[statistic] = values.agg(statistic)
            row[f"{statistic}_low"] = interval.low if interval else np.nan
            row[f"{statistic}_high"] = interval.high if interval else np.nan
        row["worst"] = values.max() if score.less_is_better else values.min()
        rows.append(row)
    return pd.DataFrame(rows)
