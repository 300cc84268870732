import numpy as np
import pandas as pd
import pytest

from car_segmentation.evaluation.bootstrap import mean_interval
from car_segmentation.evaluation.slices import MIN_CARS, SLICES, all_slices, describe, slice_scores


def scores_and_table(cars: int = 6, views: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Dice rises with the car, area with car and view; makes and years in turn."""
    ids = [(f"c{car}", view) for car in range(cars) for view in range(1, views + 1)]
    car = np.array([int(name[1:]) for name, _ in ids])
    view = np.array([view for _, view in ids])
    photo_id = [f"{name}_{view:02d}" for name, view in ids]
    scores = pd.DataFrame({"photo_id": photo_id, "car": [name for name, _ in ids]})
    scores = scores.assign(view=view, dice=0.9 + 0.01 * car, edge_error_px=5.0 - 0.5 * car)
    table = pd.DataFrame({"photo_id": photo_id, "foreground_share": 0.1 + 0.02 * car + 0.01 * view})
    table = table.assign(make=np.where(car % 2, "Kia", "Audi"), year=2007 + 2 * car)
    return scores, table


def test_photos_are_described() -> None:
    scores, table = scores_and_table()
    shuffled = table.sample(frac=1, random_state=0)  # Matched by photo, not by row.
    described = describe(scores, shuffled, {"c0": "red", "c1": "blue"})
    first, last = described.iloc[0], described.iloc[-1]
    assert (first["make"], first["model_years"], first["colour"]) == ("Audi", "2005–2009", "red")
    assert (last["make"], last["model_years"], last["colour"]) == ("Kia", "2015–2019", "unknown")
    # Shares 11, 12; 13, 14; … 21, 22 %: four photos in each third, two cars of median 11.5 … 21.5.
    assert described["mask_area"].iloc[[0, 4, 8]].tolist() == [
        *("small (11.0% to 14.0%)", "medium (15.0% to 18.0%)", "large (19.0% to 22.0%)"),
    ]
    assert described["body_size"].iloc[[3, 7, 11]].tolist() == [
        *("small (11.5% to 13.5%)", "medium (15.5% to 17.5%)", "large (19.5% to 21.5%)"),
    ]
    assert described["dice"].tolist() == scores["dice"].tolist()


def test_a_slice_by_hand() -> None:
    scores, table = scores_and_table()
    slices = slice_scores(describe(scores, table), "make", seed=3).set_index("value")
    assert slices.index.tolist() == ["Audi", "Kia"]
    audi = slices.loc["Audi"]  # Cars 0, 2 and 4.
    assert (audi["photos"], audi["cars"]) == (6, 3)
    assert audi["dice_mean"] == pytest.approx(0.92)
    assert audi["edge_error_px"] == pytest.approx(4.0)
    interval = mean_interval([0.9, 0.92, 0.94], ["c0", "c2", "c4"], seed=3)
    assert interval is not None
    assert (audi["dice_low"], audi["dice_high"]) == pytest.approx((interval.low, interval.high))


def test_slices_of_too_few_cars_are_marked() -> None:
    scores, table = scores_and_table(cars=MIN_CARS + 1)
    colours = pd.Series("grey", index=[f"c{car}" for car in range(MIN_CARS)])
    described = describe(scores, table, colours)
    slices = slice_scores(described.replace({"colour": {"unknown": "red"}}), "colour", seed=0)
    assert slices["value"].tolist() == ["grey", "red"]
    assert slices["cars"].tolist() == [MIN_CARS, 1]
    assert slices["enough"].tolist() == [True, False]
    assert slices["dice_low"].isna().tolist() == [False, True]  # One car has no interval.


def test_order_is_that_of_the_values_with_unknown_last() -> None:
    scores, table = scores_and_table(cars=3)
    table["make"] = ["zed", "zed", None, None, "abc", "abc"]
    described = describe(scores, table)
    assert slice_scores(described, "make", seed=0)["value"].tolist() == ["abc", "zed", "unknown"]
    sizes = slice_scores(described, "body_size", seed=0)["value"].str.split().str[0]
    assert sizes.tolist() == ["small", "medium", "large"]
    assert slice_scores(described, "view", seed=0)["value"].tolist() == ["1", "2"]


def test_every_photo_is_in_one_slice_of_each_kind() -> None:
    scores, table = scores_and_table()
    slices = all_slices(describe(scores, table, {"c0": "red"}), seed=0)
    assert tuple(slices["slice"].unique()) == SLICES
    assert (slices.groupby("slice")["photos"].sum() == len(scores)).all()


def test_without_metadata_there_is_no_slice_of_it() -> None:
    scores, table = scores_and_table()
    bare = describe(scores, table[["photo_id", "foreground_share"]])
    empty = describe(scores, table.assign(make=None, year=np.nan))
    for described in (bare, empty):
        assert set(described["make"]) == set(described["model_years"]) == {"unknown"}
        assert set(all_slices(described, seed=0)["slice"]) == {"view", "body_size", "mask_area"}


def test_two_photos_of_one_car() -> None:
    slices = all_slices(describe(*scores_and_table(cars=1)), seed=0)
    assert slices["dice_low"].isna().all() and not slices["enough"].any()
    assert slices[slices["slice"] == "body_size"]["photos"].tolist() == [2]


@pytest.mark.parametrize(
    ("year", "group"),
    [(2012, "2010–2014"), ("2009", "2005–2009"), (2015.0, "2015–2019"), ("?", "unknown")],
)
def test_years_however_they_are_written(year: object, group: str) -> None:
    scores, table = scores_and_table(cars=1)
    assert set(describe(scores, table.assign(year=year))["model_years"]) == {group}
