import re

import numpy as np
import pandas as pd
import pytest

from car_segmentation.report import interactive_charts as charts


@pytest.fixture
def scores():
    return pd.DataFrame(
        {
            "photo_id": ["a_01", "a_02", "b_01", "<b>_02"],
            "car": ["a", "a", "b", "b"],
            "view": ["01", "02", "01", "02"],
            "dice": [0.90, 0.95, 0.98, 0.99],
            "edge_error_px": [8.0, 4.0, 2.0, 1.0],
            "false_positives": [100, 0, 30, 10],
            "false_negatives": [50, 20, 0, 5],
        }
    )


@pytest.fixture
def values():
    return pd.DataFrame(
        {
            "value": ["red", "white <", "black"],
            "photos": [16, 32, 80],
            "cars": [1, 2, 5],
            "dice_mean": [0.97, 0.99, 0.98],
            "dice_low": [None, 0.985, 0.97],
            "dice_high": [None, 0.995, 0.985],
            "edge_error_px": [4.0, 2.0, 3.0],
            "enough": [False, True, True],
        }
    )


DISTANCES = pd.DataFrame(
    {
        "from_px": [0, 1, 2],
        "to_px": [1, 2, np.inf],
        "false_positives": [30, 10, 0],
        "false_negatives": [20, 20, 20],
    }
)
CLASSES = pd.DataFrame(
    {
        "class": ["ground shadow", "thin structure", "thin structure"],
        "kind": ["false positive", "false positive", "false negative"],
        "regions": [3, 1, 2],
        "pixels": [300, 10, 20],
        "dice_cost": [0.003, 0.001, 0.004],
    }
)


def test_dice_histogram_counts_every_photo(scores):
    bars = charts.dice_histogram(scores).data[0]
    np.testing.assert_array_equal(bars.y, [1, 0, 1, 0, 2])
    np.testing.assert_allclose(bars.customdata[0], [0.90, 0.918])
    np.testing.assert_allclose(bars.width.sum(), 0.09)


def test_dice_histogram_of_one_photo(scores):
    assert sum(charts.dice_histogram(scores.head(1)).data[0].y) == 1


def test_dice_histogram_marks_mean_and_median(scores):
    figure = charts.dice_histogram(scores)
    assert [shape.x0 for shape in figure.layout.shapes] == pytest.approx([0.955, 0.965])
    assert [note.text for note in figure.layout.annotations] == ["mean 0.9550", "median 0.9650"]


def test_cars_stand_from_worst_to_best(scores):
    photos, means = charts.cars(scores).data
    assert list(means.y) == ["a", "b"] and list(means.x) == [6.0, 1.5]
    assert list(photos.x) == [8, 4, 2, 1] and list(photos.y) == ["a", "a", "b", "b"]
    assert list(photos.ids) == ["a_01", "a_02", "b_01", "<b>_02"]
    assert "&lt;b&gt;_02" in photos.customdata[3]


def test_cars_are_named_by_make_if_that_tells_them_apart(scores):
    named = scores.assign(make=["Kia", "Kia", "R&D", "R&D"])
    assert list(charts.cars(named).data[1].y) == ["Kia a", "R&amp;D b"]
    alike = scores.assign(car=["123456a", "123456a", "123456b", "123456b"])
    assert list(charts.cars(alike).data[1].y) == ["123456a", "123456b"]


def test_cars_shows_the_worst_of_many(scores):
    many = pd.concat(
        [scores.head(1).assign(car=f"{k:03}", edge_error_px=float(k)) for k in range(30)]
    )
    figure = charts.cars(many)
    assert len(figure.data[1].x) == charts.MOST_CARS and figure.data[1].x[0] == 29
    assert "24 worst of 30" in figure.layout.title.text


def test_missed_and_invented_draws_zeros_at_one(scores):
    points = charts.missed_and_invented(scores).data[1]
    assert list(points.x) == [50, 20, 1, 5] and list(points.y) == [100, 1, 30, 10]
    assert list(points.ids) == list(scores["photo_id"])


def test_turntable_follows_the_views(values):
    views = values.assign(value=["03", "01", "02"])
    line = charts.turntable(views).data[0]
    assert list(line.x) == ["01", "02", "03"] and list(line.y) == [0.99, 0.98, 0.97]
    np.testing.assert_allclose(line.error_y.array, [0.005, 0.005, 0])
    np.testing.assert_allclose(line.error_y.arrayminus, [0.005, 0.01, 0])
    ring = charts.turntable_edge_error(views).data[0]
    assert list(ring.theta) == ["01", "02", "03", "01"] and list(ring.r) == [2, 3, 4, 2]


def test_slices_on_too_few_cars_are_grey(values):
    figure = charts.slice_intervals("paint", values, overall=0.981)
    enough, thin = figure.data
    assert list(enough.y) == ["black", "white &lt;"] and list(enough.x) == [0.98, 0.99]
    assert list(thin.y) == ["red"] and thin.marker.color == charts.light("thin")
    assert list(figure.layout.yaxis.categoryarray) == ["black", "white &lt;", "red"]
    assert figure.layout.shapes[0].x0 == 0.981
    assert "32 photos of 2 cars" in enough.customdata[1] and "1 car" in thin.customdata[0]
    assert thin.customdata[0].endswith("16 photos of 1 car")


def test_error_distances_are_shares_of_the_wrong_pixels():
    invented, missed, cumulative = charts.error_distances(DISTANCES).data
    assert list(invented.x) == ["0–1", "1–2", ">2"]
    np.testing.assert_allclose(invented.y, [0.3, 0.1, 0.0])
    np.testing.assert_allclose(missed.y, [0.2, 0.2, 0.2])
    np.testing.assert_allclose(cumulative.y, [0.5, 0.8, 1.0])


def test_error_classes_stand_from_dearest_to_cheapest():
    figure = charts.error_classes(CLASSES)
    invented, missed = figure.data
    assert list(figure.layout.yaxis.categoryarray) == ["thin structure", "ground shadow"]
    assert list(invented.x) == [0.003, 0.001] and list(missed.x) == [0.004]
    assert [list(row) for row in missed.customdata] == [[2, 20]]


def test_threshold_curve_scales_to_the_useful_thresholds():
    dice = np.concatenate([[0.1], np.linspace(0.98, 0.99, 254), [0.2]])
    figure = charts.threshold_curve(dice, 0.5)
    np.testing.assert_array_equal(figure.data[0].y, dice)
    assert figure.data[0].x[128] == 0.5 and figure.layout.shapes[0].x0 == 0.5
    low, high = figure.layout.yaxis.range
    assert 0.97 < low < 0.981 and 0.989 < high < 1


def test_calibration_has_a_line_for_each_kind_of_pixel():
    reliability = pd.DataFrame(
        {
            "where": ["all", "all", "near", "near"],
            "probability": [0.1, 0.9, 0.2, 0.8],
            "car_share": [0.0, 1.0, 0.3, 0.7],
            "pixels": [10, 20, 3, 4],
        }
    )
    perfect, everywhere, near = charts.calibration(reliability).data
    assert list(perfect.x) == list(perfect.y) == [0, 1]
    assert everywhere.name == "all" and list(everywhere.y) == [0.0, 1.0]
    assert near.name == "near" and list(near.x) == [0.2, 0.8] and list(near.customdata) == [3, 4]


def test_learning_curve_marks_the_epoch_of_the_lowest_validation_loss():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0], "dice": [0.1, 0.2, 0.3]}
    loss = charts.learning_curve(history, "loss")
    assert [list(line.y) for line in loss.data] == [[3, 2, 1], [3, 1.5, 2]]
    assert list(loss.data[0].x) == [1, 2, 3] and loss.layout.shapes[0].x0 == 2
    dice = charts.learning_curve(history, "dice")
    assert [line.name for line in dice.data] == ["training"]


def test_hovers_have_a_space_before_their_values(scores, values):
    figures = [
        charts.dice_histogram(scores),
        charts.cars(scores),
        charts.missed_and_invented(scores),
        charts.turntable(values),
        charts.turntable_edge_error(values),
        charts.error_distances(DISTANCES),
        charts.error_classes(CLASSES),
        charts.threshold_curve(np.linspace(0, 1, 256), 0.5),
    ]
    templates = [trace.hovertemplate for figure in figures for trace in figure.data]
    assert all(not re.search(r"[a-z:]%\{", template) for template in templates if template)
    assert all(figure.layout.title.text for figure in figures)
