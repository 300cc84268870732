import math
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.boxes import Box
from car_segmentation.evaluation.label_errors import (
    Suspicion,
    doubted_box,
    label_evidence,
    mask_from_other_side,
    mirror_view,
    rank_label_errors,
)
from tests.support.photos import SIZE, disc_mask, write_pair

HEIGHT, WIDTH = 600, 800
"""The diagonal is 1,000 px: an area of 100 px is a share of 0.0001."""
THRESHOLD = 0.5
VIEWS = range(1, 17)


def car_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    cv2.ellipse(mask.view(np.uint8), (400, 300), (250, 120), 0, 0, 360, 1, cv2.FILLED)
    return mask


def seen_by_the_model(mask: np.ndarray) -> np.ndarray:
    """A probability map that is sure everywhere but at the edge."""
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)


def evidence_of(mask: np.ndarray, seen: np.ndarray | None = None) -> dict[str, float]:
    return label_evidence(mask, seen_by_the_model(car_mask() if seen is None else seen), THRESHOLD)


def table_of(evidence: dict[str, float], cars: int = 3) -> pd.DataFrame:
    """All views of some cars with the same evidence."""
    return pd.DataFrame(
        [
            {"photo_id": f"{car}_{view:02d}", "car": str(car), "view": f"{view:02d}"} | evidence
            for car in range(cars)
            for view in VIEWS
        ]
    )


def first_of(table: pd.DataFrame, photo_id: str, evidence: dict[str, float]) -> pd.Series:
    """The first row of the ranking after one photo's evidence was replaced."""
    changed = table.set_index("photo_id")
    changed.loc[photo_id, list(evidence)] = list(evidence.values())
    return rank_label_errors(changed.reset_index()).iloc[0]


def test_nothing_speaks_against_a_mask_that_the_model_agrees_with() -> None:
    evidence = evidence_of(car_mask())
    assert evidence.pop("wrong_image") < 0.001
    assert set(evidence.values()) == {0}


def test_part_cut_off_and_part_too_much() -> None:
    mask = car_mask()
    mask[:, 600:] = False
    cut = evidence_of(mask)
    # All but a margin of 3 px at the new edge, and the edge where the model is not sure.
    missing = np.count_nonzero(car_mask()[:, 603:])
    assert 0.9 * missing < cut["missing_part"] * 1000**2 <= missing
    assert cut["extra_part"] == 0
    mask = car_mask()
    mask[380:460, 350:450] = True
    more = evidence_of(mask)
    extra = np.count_nonzero((mask & ~car_mask())[:457, 353:447])
    assert 0.8 * extra < more["extra_part"] * 1000**2 <= extra
    assert more["missing_part"] == 0


def test_what_the_model_misses_inside_and_sees_apart_is_its_own_error() -> None:
    seen = car_mask()
    seen[280:320, 380:420] = False
    seen[50:90, 50:90] = True
    evidence = evidence_of(car_mask(), seen)
    assert (evidence["missing_part"], evidence["extra_part"]) == (0, 0)


def test_specks_and_holes() -> None:
    mask = car_mask()
    mask[20:24, 20:25] = True
    mask[500:503, 700:703] = True
    mask[300:310, 300:330] = False
    mask[300:302, 500:502] = False  # Too small a hole.
    evidence = evidence_of(mask)
    assert evidence["speck_count"] == 2
    assert evidence["specks"] == pytest.approx((20 + 9) / 1000**2)
    assert evidence["hole_count"] == 1
    assert evidence["hole_area"] == pytest.approx(300 / 1000**2)


@pytest.mark.parametrize(("x", "y"), [(6, 0), (0, -6), (-4, 4), (5, 3)])
def test_shift_is_found(x: int, y: int) -> None:
    shifted = np.roll(car_mask(), (y, x), axis=(0, 1))
    evidence = evidence_of(shifted)
    assert (evidence["shift_x"], evidence["shift_y"]) == (-x, -y)
    both = np.count_nonzero(shifted & car_mask()) / np.count_nonzero(car_mask())
    assert evidence["shifted"] == pytest.approx(1 - both, abs=0.001)


def test_empty_masks_are_no_error() -> None:
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    agreed = evidence_of(nothing, nothing)
    assert set(agreed.values()) == {0}
    assert evidence_of(nothing)["wrong_image"] == 1
    assert evidence_of(car_mask(), nothing)["wrong_image"] == 1


def test_views_from_the_other_side() -> None:
    assert [mirror_view(view) for view in VIEWS] == [1, *range(16, 1, -1)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Suspicion.WRONG_IMAGE, {"wrong_image": 0.2}),
        (Suspicion.SHIFTED, {"shifted": 0.01, "shift_x": -6, "shift_y": 0}),
        (Suspicion.MISSING_PART, {"missing_part": 3e-4}),
        (Suspicion.EXTRA_PART, {"extra_part": 1e-3}),
        (Suspicion.SPECKS, {"specks": 1e-5, "speck_count": 3}),
    ],
)
def test_each_kind_of_evidence_brings_a_mask_to_the_top(
    kind: Suspicion, change: dict[str, float]
) -> None:
    first = first_of(table_of(evidence_of(car_mask())), "1_07", change)
    assert (first["photo_id"], first["suspicion"]) == ("1_07", kind)
    assert first["score"] > 5
    assert "-6" in first["reason"] if kind == Suspicion.SHIFTED else first["reason"]


def test_what_all_views_of_a_car_have_is_not_suspect() -> None:
    table = table_of(evidence_of(car_mask()))
    table.loc[table["car"] == "2", "missing_part"] = 3e-4
    assert rank_label_errors(table)["score"].max() == 0


def test_holes_that_the_other_side_has() -> None:
    table = table_of(evidence_of(car_mask()))
    table["hole_area"] = np.where(table["view"].isin(["04", "05", "13", "14"]), 1e-3, 0.0)
    assert rank_label_errors(table)["score"].max() == 0
    first = first_of(table, "0_05", {"hole_area": 0.0})
    assert (first["photo_id"], first["suspicion"]) == ("0_05", Suspicion.MISSING_HOLES)
    assert first["missing_holes"] == pytest.approx(1e-3 / 5e-6)
    first = first_of(table, "0_08", {"hole_area": 1e-3})
    # Either 08 has a hole too many, or 10 lacks one: the latter weighs more.
    assert (first["photo_id"], first["suspicion"]) == ("0_10", Suspicion.MISSING_HOLES)
    # Views 1 and 9 face themselves: both neighbours must have holes.
    neighbours = table["view"].isin(["16", "02"])
    table.loc[neighbours, "hole_area"] = 2e-3
    ranked = rank_label_errors(table)
    assert set(ranked.loc[ranked["score"] > 0, "photo_id"]) == {"0_01", "1_01", "2_01"}


def test_numbered_photos_that_are_no_turntable_have_no_other_side() -> None:
    table = table_of(evidence_of(car_mask()))
    table = table[table["view"] != "16"].reset_index(drop=True)
    table["hole_area"] = np.where(table["view"] == "05", 1e-3, 0.0)
    assert rank_label_errors(table)["score"].max() == 0


def test_photos_without_views_or_with_few_of_a_car_are_ranked_too() -> None:
    table = table_of(evidence_of(car_mask()))
    table["view"] = None
    table["car"] = table["photo_id"]
    first = first_of(table, "1_07", {"missing_part": 3e-4})
    assert (first["photo_id"], first["suspicion"]) == ("1_07", Suspicion.MISSING_PART)


def test_boxes_to_enlarge() -> None:
    margin = math.ceil(0.02 * 1000)
    mask, seen = car_mask(), seen_by_the_model(car_mask())
    # An ellipse of half axes 250 and 120 round (400, 300).
    whole = Box(180 - margin, 150 - margin, 421 + margin, 651 + margin)
    assert doubted_box(mask, seen, Suspicion.WRONG_IMAGE) == whole
    assert doubted_box(mask, seen, Suspicion.MISSING_PART) == whole  # There is nothing of the kind.
    speckled = mask.copy()
    speckled[5:10, 700:704] = True
    assert doubted_box(speckled, seen, Suspicion.SPECKS) == Box(0, 680, 30, 724)
    opposite = mask.copy()
    opposite[300:310, 300:320] = False
    box = doubted_box(mask, seen, Suspicion.MISSING_HOLES, opposite)
    assert box == Box(280, 480 - margin, 330, 500 + margin)  # Columns 300 to 319, seen in a mirror.
    cut = mask.copy()
    cut[:, 600:] = False
    box = doubted_box(cut, seen, Suspicion.MISSING_PART)
    assert box.left == pytest.approx(604 - margin, abs=1)
    assert box.top < 300 < box.bottom and box.right > 640
    nothing = np.zeros_like(mask)
    assert doubted_box(nothing, nothing.astype(np.float32), "shifted") == Box(0, 0, HEIGHT, WIDTH)


def test_the_other_side_of_a_car_is_its_mirror_view(raw: Path) -> None:
    holed = disc_mask(radius=15)
    holed[20:24, 25:29] = False
    files = [write_pair(raw, name, mask)[1] for name, mask in (("a", None), ("b", holed))]
    photos = pd.DataFrame(
        {
            "car": "car",
            "view": ["05", "13"],
            "mask_path": [str(file) for file in files],
            **{"height": SIZE[0], "width": SIZE[1]},
        }
    )
    assert np.array_equal(mask_from_other_side(photos.loc[0], photos), holed)
    front = photos.loc[0].replace({"05": "01"})  # It is its own mirror view.
    assert mask_from_other_side(front, photos) is None
    left = photos.loc[0].replace({"05": "left"})
    assert mask_from_other_side(left, photos) is None
    assert mask_from_other_side(photos.loc[0], photos.assign(view="05")) is None


def test_what_is_ignored_makes_neither_specks_nor_holes() -> None:
    """A void strip cuts a car in two, and a void spot lies in it: it may be whole."""
    truth, ignored = np.zeros((100, 120), bool), np.zeros((100, 120), bool)
    truth[20:80, 10:110] = True
    ignored[:, 70:75], ignored[40:60, 30:50] = True, True
    ignored[2:5, 112:118] = True  # Void alone is nobody's speck.
    truth &= ~ignored
    probability = truth.astype(np.float32)
    unaware = label_evidence(truth, probability, 0.5)
    assert unaware["speck_count"] == 1 and unaware["hole_count"] == 1
    assert unaware["hole_area"] == pytest.approx(20 * 20 / (100**2 + 120**2))
    aware = label_evidence(truth, probability, 0.5, ignored)
    assert aware["speck_count"] == aware["specks"] == 0
    assert aware["hole_count"] == aware["hole_area"] == 0
