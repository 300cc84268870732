import numpy as np
import pytest

from car_segmentation.evaluation.bootstrap import Difference, Interval
from car_segmentation.evaluation.run_comparison import compare_scores
from car_segmentation.report.comparison_report import comparison_page, verdict
from car_segmentation.report.plots.comparison import changes_of_cars, dice_changes
from tests.support.run_records import AFTER, BEFORE, record

CHANGES = compare_scores(BEFORE, AFTER)


def difference(interval: Interval | None, mean: float = 0.01) -> Difference:
    return Difference(mean=mean, interval=interval, photos=3, cars=2, better=1, worse=1)


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval(0.001, 0.02), "The second run is better: Dice changed by +0.0100"),
        (Interval(-0.02, -0.001), "The second run is worse"),
        (Interval(-0.001, 0.02), "not significant at 5%"),
        (None, "one car says nothing"),
    ],
)
def test_the_verdict_follows_the_interval(interval: Interval | None, said: str) -> None:
    assert said in verdict(difference(interval))


def test_every_photo_is_a_point_with_its_change() -> None:
    traces = {trace.name: trace for trace in dice_changes(CHANGES).data}
    assert set(traces) == {"better (1)", "worse (1)", "the same (1)"}
    worse = traces["worse (1)"]
    assert (worse.ids, worse.text) == (("x_01",), ("x_01",))
    assert worse.x[0] == pytest.approx(0.90)
    assert worse.y[0] == pytest.approx(-0.02)
    assert worse.customdata[0] == pytest.approx(0.88)


def test_every_car_is_a_bar() -> None:
    (bars,) = changes_of_cars(CHANGES).data
    assert bars.text == ("x", "y")
    assert bars.y == pytest.approx((-0.01, 0.1))


def test_the_page_says_it_all() -> None:
    before = record({"x_01": 0.9, "z_01": 1.0}, name="first", parameters={"epochs": "3"})
    after = record({"x_01": 0.95}, name="second", parameters={"epochs": "5"})
    picture = np.zeros((4, 6, 3), np.uint8)
    changes = compare_scores(before, after)
    page = comparison_page(before, after, changes, difference(None), [], [("x_01", picture)])
    assert "first → second" in page
    assert "1 parameter differs." in page
    assert "Left out, scored by the first run alone (1): z_01." in page
    assert "1 of 3" in page and "1 worse, 1 the same" in page
    assert "What got better" in page and "What got worse" not in page


def test_names_of_photos_are_no_code() -> None:
    name = "<script>alert(1)</script>"
    run = record({f"{name}_01": 0.9}, name=name)
    page = comparison_page(run, run, compare_scores(run, run), difference(None), [], [])
    assert name not in page


def test_equal_names_are_told_apart_by_id() -> None:
    page = comparison_page(BEFORE, AFTER, CHANGES, difference(None), [], [])
    assert "run (aaaaaaaa) → run (bbbbbbbb)" in page
