import math

import numpy as np
import pandas as pd
import pytest

from car_segmentation.evaluation.review_signals import doubt_signals, mask_signals, view_outliers

VIEWS = range(1, 17)


def turntable(car: str = "a", zero_padded: bool = True) -> pd.DataFrame:
    """A car that looks the same from both sides, and a little left of the middle from all."""
    return pd.DataFrame(
        {
            "car": car,
            "view": f"{view:02d}" if zero_padded else str(view),
            "area": 10 + 0.2 * math.cos((view - 1) * math.pi / 4),
            "centre_x": 0.05 * math.sin((view - 1) * math.pi / 8),
            "centre_y": 0.0,
            "hole_fraction": 0.002,
        }
        for view in VIEWS
    )


def test_pieces_and_holes_by_hand() -> None:
    mask = np.zeros((8, 10), bool)
    mask[0:5, 0:5] = True
    mask[1:3, 1:3] = False  # A hole of 4 pixels: 21 are left.
    mask[7, 7:9] = True  # A piece of 2.
    mask[6, 9] = True  # Touches it at a corner.
    signals = mask_signals(mask)
    assert signals["pieces"] == 2
    assert signals["loose_fraction"] == pytest.approx(3 / 24)
    assert signals["holes"] == 1
    assert signals["hole_fraction"] == pytest.approx(4 / 24)
    assert signals["area"] == pytest.approx(math.log(24))


def test_centre_is_a_fraction_of_the_diagonal() -> None:
    mask = np.zeros((3, 4), bool)  # Its diagonal is 5, its centre (1.5, 1).
    mask[2, 3] = True
    signals = mask_signals(mask)
    assert signals["centre_x"] == pytest.approx(1.5 / 5)
    assert signals["centre_y"] == pytest.approx(1 / 5)


def test_empty_mask_has_no_shape() -> None:
    signals = mask_signals(np.zeros((4, 4), bool))
    assert signals["pieces"] == signals["holes"] == 0
    assert math.isnan(signals["area"]) and math.isnan(signals["loose_fraction"])


def test_doubt_by_hand() -> None:
    probability = np.zeros((300, 400), np.float32)  # The edge's own doubt reaches 1.3 px, so 2.
    probability[100:200, 100:200] = 1
    probability[100:200, 199] = 0.5  # 100 pixels in doubt, on the edge.
    probability[10, 10:30] = 0.08  # 20 pixels of some doubt, far from it.
    signals = doubt_signals(probability, probability >= 0.5)
    edge = 4 * 99
    assert signals["edge_doubt"] == pytest.approx(100 / edge)
    assert signals["stray_doubt"] == pytest.approx(20 / edge)
    inside = 9900 + 50
    expected = 2 * inside / (10_000 + inside + 20 * 0.08)
    assert signals["expected_error"] == pytest.approx(1 - expected)


def test_certain_mask_has_no_doubt() -> None:
    mask = np.zeros((30, 40), bool)
    mask[10:20, 10:20] = True
    assert set(doubt_signals(mask.astype(np.float32), mask).values()) == {0}


def test_empty_mask_is_all_doubt() -> None:
    probability = np.full((30, 40), 0.2, np.float32)
    signals = doubt_signals(probability, probability >= 0.5)
    assert signals == {"expected_error": 1, "edge_doubt": 1200, "stray_doubt": 1200}


@pytest.mark.parametrize("zero_padded", [True, False])
def test_symmetric_car_has_no_outliers(zero_padded: bool) -> None:
    assert view_outliers(turntable(zero_padded=zero_padded)).tolist() == pytest.approx([0] * 16)


@pytest.mark.parametrize(
    ("measure", "floor"),
    [("area", 0.003), ("centre_x", 0.0005), ("centre_y", 0.0005), ("hole_fraction", 0.0005)],
)
def test_wrong_view_stands_out(measure: str, floor: float) -> None:
    table = turntable()
    table.loc[2, measure] += 20 * floor  # View 3, which view 15 sees from the other side.
    outliers = view_outliers(table)
    # All other views agree, so that the floor is the standard deviation.
    assert outliers[2] == pytest.approx(20)
    assert outliers[14] == pytest.approx(10)
    assert outliers.drop([2, 14]).tolist() == pytest.approx([0] * 14, abs=1e-9)


@pytest.mark.parametrize("view", [1, 9])
def test_view_that_faces_itself_is_symmetric(view: int) -> None:
    table = turntable()
    table.loc[view - 1, "centre_x"] += 10 * 0.0005
    assert view_outliers(table)[view - 1] == pytest.approx(20)


def test_shift_that_all_views_share_is_the_cameras() -> None:
    table = turntable()
    table["centre_x"] += 0.01
    assert view_outliers(table).tolist() == pytest.approx([0] * 16, abs=1e-9)


def test_other_sets_of_views_are_not_compared() -> None:
    without = turntable().drop(index=4)
    twice = pd.concat([turntable("b"), turntable("b").head(1)])
    named = turntable("c").assign(view="front")
    empty = turntable("d")
    empty.loc[2, "area"] = np.nan
    table = pd.concat([without, twice, named, empty, turntable("e")], ignore_index=True)
    outliers = view_outliers(table)
    assert outliers[table["car"] == "e"].tolist() == pytest.approx([0] * 16)
    assert outliers[table["car"] != "e"].isna().all()
