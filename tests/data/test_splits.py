from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.data.splits import (
    SPLITS,
    check_no_car_in_two_splits,
    keep_splits,
    split_by_car,
)

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
MakeTable = Callable[..., pd.DataFrame]


def test_fractions_are_of_cars(photo_table: MakeTable) -> None:
    photos = photo_table(80)
    split = split_by_car(photos, FRACTIONS, seed=1)
    assert split.value_counts().to_dict() == {
        "train": 56 * 16,
        "validation": 8 * 16,
        "test": 16 * 16,
    }


@settings(max_examples=60, deadline=None)
@given(
    views=st.lists(st.integers(1, 4), min_size=3, max_size=40),
    train=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32),
    folds=st.one_of(st.none(), st.integers(2, 3)),
)
def test_whole_cars_and_no_empty_split(
    views: list[int], train: float, seed: int, folds: int | None
) -> None:
    car = np.repeat([f"car {i}" for i in range(len(views))], views)
    photos = pd.DataFrame({"car": car, "foreground_share": np.arange(len(car)) / len(car)})
    fractions = {"train": train, "validation": (1 - train) / 3, "test": (1 - train) * 2 / 3}
    if folds is not None and len(views) < 6:
        return
    split = split_by_car(photos, fractions, seed, folds)
    assert (split.groupby(photos["car"]).nunique() == 1).all()
    assert set(split) == set(SPLITS)


def test_splits_are_balanced_by_mask_area(photo_table: MakeTable) -> None:
    photos = photo_table(80)
    overall = photos["foreground_share"].mean()
    for seed in range(10):
        split = split_by_car(photos, FRACTIONS, seed)
        means = photos["foreground_share"].groupby(split).mean()
        assert (means - overall).abs().max() < 0.03  # A random split is often off by 0.06.


def test_the_seed_decides(photo_table: MakeTable) -> None:
    photos = photo_table(20)
    assert split_by_car(photos, FRACTIONS, 1).equals(split_by_car(photos, FRACTIONS, 1))
    assert not split_by_car(photos, FRACTIONS, 1).equals(split_by_car(photos, FRACTIONS, 2))


def test_the_order_of_the_rows_does_not_matter(photo_table: MakeTable) -> None:
    photos = photo_table(20)
    split = split_by_car(photos, FRACTIONS, 1)
    shuffled = photos.sample(frac=1, random_state=0)
    assert split_by_car(shuffled, FRACTIONS, 1).sort_index().equals(split)


def test_each_car_validates_in_one_fold_and_the_test_cars_stay(photo_table: MakeTable) -> None:
    photos = photo_table(30)
    splits = [split_by_car(photos, FRACTIONS, 1, folds=4, fold=fold) for fold in range(4)]
    validating = sum((split == "validation").astype(int) for split in splits)
    testing = splits[0] == "test"
    assert (validating[~testing] == 1).all()
    assert all(((split == "test") == testing).all() for split in splits)
    assert testing.sum() == 6 * 16


def test_too_few_cars_say_what_to_do(photo_table: MakeTable) -> None:
    with pytest.raises(UserError, match="2 cars are too few to split into 3 groups"):
        split_by_car(photo_table(2), FRACTIONS, 1)
    with pytest.raises(UserError, match="split into 5 groups"):
        split_by_car(photo_table(5), FRACTIONS, 1, folds=5)


def test_a_car_in_two_splits_is_found() -> None:
    with pytest.raises(UserError, match="car b is in 2 splits"):
        check_no_car_in_two_splits(
            pd.Series(["a", "b", "b"]), pd.Series(["train", "train", "test"])
        )


def test_uneven_cars_are_dealt_out_by_photos_too() -> None:
    car = np.repeat(["a", "b", "c"], [6, 8, 10])
    photos = pd.DataFrame({"car": car, "foreground_share": 0.3})
    for seed in range(5):
        split = split_by_car(photos, FRACTIONS, seed)
        assert split.value_counts()["train"] == 10


def test_one_car_of_most_photos_trains() -> None:
    car = np.repeat([f"{number}" for number in range(10)], [100, *[3] * 9])
    photos = pd.DataFrame({"car": car, "foreground_share": np.linspace(0.9, 0.1, len(car))})
    for seed in range(5):
        split = split_by_car(photos, FRACTIONS, seed)
        assert set(split[photos["car"] == "0"]) == {"train"}


def test_cars_of_about_as_many_photos_stay_where_they_are(photo_table: MakeTable) -> None:
    even = photo_table(40)
    uneven = even.drop(index=[3, 40, 41, 200])
    expected = split_by_car(even, FRACTIONS, 1)[uneven.index]
    assert split_by_car(uneven, FRACTIONS, 1).equals(expected)


class TestSplitsThatAreKept:
    KEPT = pd.DataFrame(
        {"car": ["a", "a", "b", "c"], "split": ["test", "test", "validation", "train"]}
    )

    def test_new_cars_train(self) -> None:
        photos = pd.DataFrame({"car": ["b", "new", "a", "c", "b"]}, index=[5, 6, 7, 8, 9])
        split = keep_splits(photos, self.KEPT, "old.csv")
        assert split.tolist() == ["validation", "train", "test", "train", "validation"]
        assert split.index.tolist() == photos.index.tolist() and split.name == "split"

    def test_a_split_that_is_lost_is_named(self) -> None:
        photos = pd.DataFrame({"car": ["a", "c", "new"]})
        with pytest.raises(UserError, match=r"old\.csv: none of its cars of validation is"):
            keep_splits(photos, self.KEPT, "old.csv")
