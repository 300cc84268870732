"""Split photos into train, validation and test so that all views of a car stay together."""

from collections.abc import Collection, Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import CARS, Subject

SPLITS = ("train", "validation", "test")


def split_by_car(
    photos: pd.DataFrame,
    fractions: Mapping[str, float],
    seed: int,
    folds: int | None = None,
    fold: int = 0,
    subject: Subject = CARS,
) -> pd.Series:
    """Assign every photo to a split, by car, balanced by mask area.

    Cars are sorted by mean mask area and assigned to the splits in turn, so that each split
    has small and large cars alike. If cars have photos in different numbers, some are then swapped,
    so that the fractions hold of photos, too. With ``folds``, the test cars stay the same and the
    others are assigned to that many folds, of which one validates and the rest train.

    Args:
        photos: Columns ``car`` and ``foreground_share``.
        fractions: Fraction of the cars for each of `SPLITS`, adding up to 1.
        seed: Which of the balanced splits.
        folds: Number of folds for cross-validation, or None for one fixed validation split.
        fold: Which fold validates, from 0.
        subject: What cars are called in messages.

    Returns:
        The split of each photo, in the order of ``photos``, named ``split``.

    Raises:
        UserError: If there are too few cars to give each split one.
    """
    area = photos.groupby("car")["foreground_share"].mean()
    rng = np.random.default_rng(seed)
    photos_of = photos.groupby("car").size()
    split_of = even_out(_deal_out(area, fractions, rng, subject), photos_of, fractions)
    if folds is not None:
        others = area[split_of != "test"]
        equal = {str(k): 1 / folds for k in range(folds)}
        fold_of = even_out(_deal_out(others, equal, rng, subject), photos_of, equal)
        split_of[others.index] = np.where(fold_of == str(fold), "validation", "train")
    split = photos["car"].map(split_of).rename("split")
    check_no_car_in_two_splits(photos["car"], split)
    return split


def keep_splits(
    photos: pd.DataFrame, kept: pd.DataFrame, name: str, subject: Subject = CARS
) -> pd.Series:
    """Assign photos to the splits that an earlier table has for their cars; new cars train.

    So test photos stay the same, and unseen, while cars are added or masks corrected.

    Args:
        photos: Column ``car``.
        kept: Columns ``car`` and ``split``.
        name: What a message calls the table: its file.
        subject: What cars are called in messages.

    Returns:
        The split of each photo, in the order of ``photos``, named ``split``.

    Raises:
        UserError: If a split of the table would have no photo.
    """
    split_of = kept.drop_duplicates("car").set_index("car")["split"]
    split = photos["car"].map(split_of).fillna("train").astype(str).rename("split")
    lost = sorted(set(kept["split"]) - set(split))
    if lost:
        raise UserError(
            f"split.keep = {name}: none of its {subject.many} of {lost[0]} is among these photos. "
            "Name the table of these photos, or set split.keep to null."
        )
    return split


def rows_of_split(table: pd.DataFrame, *splits: str) -> pd.DataFrame:
    """The rows of a table whose column ``split`` has one of these values."""
    return table[table["split"].isin(splits)]


def check_splits(table: pd.DataFrame, name: str) -> None:
    """Make sure that a table assigns photos to splits, and no car to two.

    Args:
        table: What was read.
        name: Its file, for the message.

    Raises:
        UserError: If it does not.
    """
    missing = [column for column in ("photo_id", "car", "split") if column not in table]
    others = [] if missing else sorted(set(table["split"]) - set(SPLITS))
    if missing or others:
        problem = f"has no column '{missing[0]}'" if missing else f"has a split '{others[0]}'"
        raise UserError(f"{name} {problem}. Run `kedro run --pipelines=data_processing` again.")
    try:
        check_no_car_in_two_splits(table["car"], table["split"])
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def check_same_photos(photo_splits: pd.DataFrame, photo_ids: Collection[str]) -> None:
    """Make sure that a table of splits lists the photos that were resized and can be used.

    Raises:
        UserError: If it lists others, or fewer: it was changed, or cut short.
    """
    listed, resized = set(photo_splits["photo_id"]), set(photo_ids)
    if listed != resized:
        raise UserError(
            f"photo_splits.csv lists {len(listed)} photos, and {len(resized)} were resized; "
            f"{min(listed ^ resized)} is only among one of them. Run `kedro run "
            "--pipelines=data_processing` again."
        )


def check_no_car_in_two_splits(car: pd.Series, split: pd.Series) -> None:
    """Make sure that the splits share no car.

    Raises:
        UserError: If they do, naming the first such car.
    """
    splits_per_car = split.groupby(car).nunique()
    leaking = splits_per_car[splits_per_car > 1]
    if len(leaking):
        raise UserError(
            f"car {leaking.index[0]} is in {leaking.iloc[0]} splits: scores would be optimistic. "
            "Run `kedro run --pipelines=data_processing` again."
        )


def _deal_out(
    area: pd.Series, fractions: Mapping[str, float], rng: np.random.Generator, subject: Subject
) -> pd.Series:
    """Assign cars to groups of the given fractions; each group gets small and large cars."""
    counts = _cars_per_group(len(area), fractions, subject)
    dealt = dict.fromkeys(counts, 0)
    group_of = {}
    for position, car in enumerate(_shuffled_within_strata(area, counts, rng), start=1):
        open_groups = [name for name in counts if dealt[name] < counts[name]]
        group = max(open_groups, key=lambda g: counts[g] * position / len(area) - dealt[g])
        dealt[group] += 1
        group_of[car] = group
    return pd.Series(group_of, dtype="str").reindex(area.index)


def even_out(
    group_of: pd.Series, photos_of: pd.Series, fractions: Mapping[str, float]
) -> pd.Series:
    """Swap cars between groups as long as that brings their photos nearer to the fractions.

    Cars of about as many photos each stay where they are: a swap has to gain at least one photo in
    a hundred.

    Args:
        group_of: The group of each car.
        photos_of: How many photos each car has.
        fractions: Of all photos, for each group.
    """
    cars = group_of.index.tolist()
    groups = dict(zip(cars, group_of.tolist(), strict=True))
    sizes = dict(zip(cars, photos_of[cars].tolist(), strict=True))
    total = sum(sizes.values())
    names = [name for name, fraction in fractions.items() if fraction > 0]
    off = {name: -fractions[name] * total for name in names}
    for car, group in groups.items():
        off[group] += sizes[car]
    while True:
        best, swap = max(2.0, total / 100), None
        for one, other in combinations(names, 2):
            # Of cars of one size, any is as good as another.
            own, partners = (
                {sizes[car]: car for car in groups if groups[car] == name} for name in (one, other)
            )
            for (size, car), (partner_size, partner) in product(own.items(), partners.items()):
                moved = size - partner_size
                gain = abs(off[one]) + abs(off[other])
                gain -= abs(off[one] - moved) + abs(off[other] + moved)
                if gain > best or (swap is None and gain == best):
                    best, swap = gain, (car, partner)
        if swap is None:
            return pd.Series(groups, dtype="str").reindex(group_of.index)
        car, partner = swap
        moved = sizes[car] - sizes[partner]
        off[groups[car]] -= moved
        off[groups[partner]] += moved
        groups[car], groups[partner] = groups[partner], groups[car]


def _cars_per_group(cars: int, fractions: Mapping[str, float], subject: Subject) -> dict[str, int]:
    """Number of cars in each group: at least one, and the nearest to its fraction."""
    wanted = {name: share * cars for name, share in fractions.items() if share > 0}
    if cars < len(wanted):
        raise UserError(
            f"{cars} {subject.many} are too few to split into {len(wanted)} groups "
            f"({', '.join(wanted)}): each needs at least one. Add photos of more {subject.many}, "
            "raise pairing.max_cars, or set split.fractions or split.folds for fewer groups. If "
            f"many photos became one {subject.one}, look at pairing.name_pattern."
        )
    counts = {name: max(1, int(share)) for name, share in wanted.items()}
    while sum(counts.values()) < cars:
        counts[max(counts, key=lambda name: wanted[name] - counts[name])] += 1
    while sum(counts.values()) > cars:
        shrinkable = [name for name in counts if counts[name] > 1]
        counts[min(shrinkable, key=lambda name: wanted[name] - counts[name])] -= 1
    return counts


def _shuffled_within_strata(
    area: pd.Series, counts: Mapping[str, int], rng: np.random.Generator
) -> list[str]:
    """Cars in order of area, shuffled among neighbours.

    A stratum is as long as it takes for the rarest group to get one car of it.
    """
    by_area = area.sort_index().sort_values(kind="stable").index.to_numpy()
    stratum = max(2, round(len(area) / min(counts.values())))
    strata = [by_area[start : start + stratum] for start in range(0, len(by_area), stratum)]
    return [car for cars in strata for car in rng.permutation(cars)]
