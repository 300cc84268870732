import pandas as pd
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.evaluation.run_comparison import (
    RunRecord,
    changed_parameters,
    changes_by_car,
    compare_scores,
    largest_changes,
    metrics_side_by_side,
    only_in_one,
    scored_by_other_masks,
)
from tests.support.run_records import AFTER, BEFORE, record


def test_photos_are_paired_whatever_their_order_the_largest_loss_first() -> None:
    changes = compare_scores(BEFORE, AFTER)
    assert changes.columns.tolist() == [
        "photo_id",
        "car",
        "view",
        "dice_before",
        "dice_after",
        "change",
        "edge_error_before",
        "edge_error_after",
    ]
    assert changes["photo_id"].tolist() == ["x_01", "x_02", "y_01"]
    assert changes["change"].tolist() == pytest.approx([-0.02, 0, 0.1])
    assert changes["edge_error_before"].tolist() == pytest.approx([10, 5, 20])
    assert changes["edge_error_after"].tolist() == pytest.approx([12, 5, 10])


def test_photos_that_one_run_alone_scored_are_named() -> None:
    assert only_in_one(BEFORE, AFTER) == (["z_01"], ["w_01"])


def test_no_photo_in_common_names_both_runs() -> None:
    with pytest.raises(UserError, match=r"first \(aaaaaaaa\) and second \(bbbbbbbb\)"):
        compare_scores(
            record({"x_01": 1.0}, "aaaaaaaaaaaa", name="first"),
            record({"y_01": 1.0}, "bbbbbbbbbbbb", name="second"),
        )


def test_largest_changes_both_ways_leave_out_what_did_not_change() -> None:
    worse, better = largest_changes(compare_scores(BEFORE, AFTER), 5)
    assert worse["photo_id"].tolist() == ["x_01"]
    assert better["photo_id"].tolist() == ["y_01"]
    many = compare_scores(
        record({f"x_{view:02d}": 0.5 for view in range(9)}),
        record({f"x_{view:02d}": 0.1 + 0.1 * view for view in range(9)}),
    )
    worse, better = largest_changes(many, 2)
    assert worse["photo_id"].tolist() == ["x_00", "x_01"]
    assert better["photo_id"].tolist() == ["x_08", "x_07"]


def test_changes_are_averaged_within_each_car() -> None:
    cars = changes_by_car(compare_scores(BEFORE, AFTER))
    assert cars["car"].tolist() == ["x", "y"]
    assert cars["photos"].tolist() == [2, 1]
    assert cars["change"].tolist() == pytest.approx([-0.01, 0.1])
    assert cars["dice_before"].tolist() == pytest.approx([0.925, 0.8])


def test_only_parameters_that_differ_are_listed() -> None:
    table = changed_parameters(
        record({}, parameters={"seed": "1", "epochs": "3", "old": "x"}),
        record({}, parameters={"seed": "1", "epochs": "5", "new": "y"}),
    )
    assert table.to_numpy().tolist() == [["epochs", "3", "5"], ["new", "", "y"], ["old", "x", ""]]


def test_metrics_side_by_side_leave_gaps() -> None:
    table = metrics_side_by_side(
        record({}, metrics={"dice": 0.5, "loss": 1.0}), record({}, metrics={"dice": 0.75})
    )
    assert table["metric"].tolist() == ["dice", "loss"]
    assert table["change"][0] == 0.25
    assert table["change"].isna().tolist() == [False, True]


def test_metrics_of_older_runs_are_compared_under_their_current_names() -> None:
    before = record({}, metrics={"ceiling.dice_mean": 0.5})
    after = record({}, metrics={"upper_bound.dice_mean": 0.75})
    table = metrics_side_by_side(before, after)
    assert table["metric"].tolist() == ["upper_bound.dice_mean"] and table["change"][0] == 0.25


class TestMasksThatWereCorrected:
    @staticmethod
    def with_areas(areas: dict[str, float], dice: float) -> RunRecord:
        splits = pd.DataFrame({"photo_id": list(areas), "foreground_share": list(areas.values())})
        return record(dict.fromkeys(areas, dice), photo_splits=splits)

    BEFORE = with_areas({"x_01": 0.25, "x_02": 0.123457, "y_01": 0.3}, 0.9)

    def test_their_photos_are_left_out(self) -> None:
        after = self.with_areas({"x_01": 0.250003, "x_02": 0.123456, "z_01": 0.3}, 0.8)
        assert scored_by_other_masks(self.BEFORE, after) == ["x_01"]
        assert compare_scores(self.BEFORE, after)["photo_id"].tolist() == ["x_02"]

    def test_if_nothing_is_left_a_message_says_why(self) -> None:
        after = self.with_areas({"x_01": 0.26, "x_02": 0.13}, 0.8)
        with pytest.raises(UserError, match="were corrected between the two"):
            compare_scores(self.BEFORE, after)
