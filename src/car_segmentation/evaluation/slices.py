"""Scores by kind of photo and kind of car: where the model is good, and where it is not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from car_segmentation.evaluation.bootstrap import mean_interval
from car_segmentation.evaluation.car_colour import UNKNOWN

MIN_CARS = 5
"""Fewest cars from which a slice says something about its kind, and not only about these cars."""
YEARS_PER_GROUP = 5
THIRDS = ("small", "medium", "large")

SLICES = ("view", "make", "model_years", "body_size", "mask_area", "colour")
"""The columns that `describe` adds or leaves, by which photos are sliced."""
SLICE_COLUMNS = [
    *("slice", "value", "photos", "cars", "dice_mean", "dice_low", "dice_high"),
    *("edge_error_px", "enough"),
]


def describe(
    photo_scores: pd.DataFrame,
    photo_table: pd.DataFrame,
    colours: pd.Series | Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Say of each scored photo what kind it is.

    Args:
        photo_scores: At least ``photo_id``, ``car`` and ``view``, a row per photo.
        photo_table: ``photo_id`` and ``foreground_share`` of these photos, and ``make`` and
            ``year`` where they are known.
        colours: The colour of each car, by car (`car_colour.car_colours`).

    Returns:
        The scores, with the columns of `SLICES`: ``make``; ``model_years``, groups of five;
        ``body_size``, thirds of the cars by median mask area over their photos; ``mask_area``,
        thirds of the photos; ``colour``. What is not known of a photo is ``unknown``.
    """
    known = photo_table.set_index("photo_id").reindex(photo_scores["photo_id"])
    known = known.reset_index(drop=True)
    described = photo_scores.reset_index(drop=True)
    car, area = described["car"], known["foreground_share"]
    area_of_car = area.groupby(car).median()
    colour_of = {} if colours is None else dict(colours)
    nothing = pd.Series(None, index=described.index, dtype=object)
    return described.assign(
        make=known.get("make", nothing).astype(object).fillna(UNKNOWN).astype(str),
        model_years=known.get("year", nothing).map(_year_group),
        body_size=car.map(_thirds(area_of_car)),
        mask_area=_thirds(area),
        colour=[colour_of.get(name, UNKNOWN) for name in car],
    )


def slice_scores(described: pd.DataFrame, by: str, seed: int) -> pd.DataFrame:
    """Scores of the photos that have the same value in a column.

    Args:
        described: ``car``, ``dice``, ``edge_error_px`` and the column ``by``, a row per photo.
        by: Which column.
        seed: Of the bootstrap.

    Returns:
        A row per value, in order, with unknown last: ``slice``, the column; ``value``; how many
        ``photos`` of how many ``cars``; ``dice_mean``, and ``dice_low`` and ``dice_high``, its
        95 % interval by bootstrap over cars (NaN with one car); mean ``edge_error_px``; and
        ``enough``, whether there are at least `MIN_CARS` cars.
    """
    rows = []
    for value, photos in described.groupby(by, observed=True):
        interval = mean_interval(photos["dice"], photos["car"], seed)
        cars = photos["car"].nunique()
        rows.append(
            {
                "slice": by,
                "value": str(value),
                "photos": len(photos),
                "cars": cars,
                "dice_mean": photos["dice"].mean(),
                "dice_low": interval.low if interval else np.nan,
                "dice_high": interval.high if interval else np.nan,
                "edge_error_px": photos["edge_error_px"].mean(),
                "enough": cars >= MIN_CARS,
            }
        )
    rows.sort(key=lambda row: row["value"] == UNKNOWN)
    return pd.DataFrame(rows, columns=SLICE_COLUMNS)


def all_slices(described: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The tables of `slice_scores` for all of `SLICES`, below each other.

    A column that is unknown of every photo is left out.
    """
    tables = [
        slice_scores(described, by, seed) for by in SLICES if (described[by] != UNKNOWN).any()
    ]
    return pd.concat(tables, ignore_index=True)


def _year_group(year: object) -> str:
    """``2010–2014`` for 2012."""
    number = pd.to_numeric(str(year), errors="coerce")
    if pd.isna(number):
        return UNKNOWN
    first = int(number) // YEARS_PER_GROUP * YEARS_PER_GROUP
    return f"{first}–{first + YEARS_PER_GROUP - 1}"


def _thirds(fractions: pd.Series) -> pd.Series:
    """Name the third that each value belongs to, with its bounds in percent; ordered."""
    third = ((fractions.rank(method="first") - 1) * len(THIRDS) // len(fractions)).astype(int)
    bounds = fractions.groupby(third).agg(["min", "max"])
    names = {
        number: f"{THIRDS[number]} ({low:.1%} to {high:.1%})"
        for number, low, high in bounds.itertuples()
    }
    return third.map(names).astype(pd.CategoricalDtype(list(names.values()), ordered=True))
