import re

import numpy as np
import pandas as pd
import pytest

from car_segmentation.report.colours import light
from car_segmentation.report.plots import confidence, errors, experiments, slices, training
from car_segmentation.report.plots import scores as score_plots


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
    bars = score_plots.dice_histogram(scores).data[0]
    np.testing.assert_array_equal(bars.y, [1, 0, 1, 0, 2])
    np.testing.assert_allclose(bars.customdata[0], [0.90, 0.918])
    np.testing.assert_allclose(bars.width.sum(), 0.09)


def test_dice_histogram_of_one_photo(scores):
    assert sum(score_plots.dice_histogram(scores.head(1)).data[0].y) == 1


def test_dice_histogram_marks_mean_and_median(scores):
    figure = score_plots.dice_histogram(scores)
    assert [shape.x0 for shape in figure.layout.shapes] == pytest.approx([0.955, 0.965])
    assert [note.text for note in figure.layout.annotations] == ["mean 0.9550", "median 0.9650"]


def test_cars_stand_from_worst_to_best(scores):
    photos, means = score_plots.cars(scores).data
    assert list(means.y) == ["a", "b"] and list(means.x) == [6.0, 1.5]
    assert list(photos.x) == [8, 4, 2, 1] and list(photos.y) == ["a", "a", "b", "b"]
    assert list(photos.ids) == ["a_01", "a_02", "b_01", "<b>_02"]
    assert "&lt;b&gt;_02" in photos.customdata[3]


def test_cars_are_named_by_make_if_that_tells_them_apart(scores):
    named = scores.assign(make=["Kia", "Kia", "R&D", "R&D"])
    assert list(score_plots.cars(named).data[1].y) == ["Kia a", "R&amp;D b"]
    alike = scores.assign(car=["123456a", "123456a", "123456b", "123456b"])
    assert list(score_plots.cars(alike).data[1].y) == ["123456a", "123456b"]


def test_cars_shows_the_worst_of_many(scores):
    many = pd.concat(
        [scores.head(1).assign(car=f"{k:03}", edge_error_px=float(k)) for k in range(30)]
    )
    figure = score_plots.cars(many)
    assert len(figure.data[1].x) == score_plots.MOST_CARS and figure.data[1].x[0] == 29
    assert "24 worst of 30" in figure.layout.title.text


def test_false_positives_and_negatives_draws_zeros_at_one(scores):
    points = score_plots.false_positives_and_negatives(scores).data[1]
    assert list(points.x) == [50, 20, 1, 5] and list(points.y) == [100, 1, 30, 10]
    assert list(points.ids) == list(scores["photo_id"])


def test_turntable_follows_the_views(values):
    views = values.assign(value=["03", "01", "02"])
    line = slices.turntable(views).data[0]
    assert list(line.x) == ["01", "02", "03"] and list(line.y) == [0.99, 0.98, 0.97]
    np.testing.assert_allclose(line.error_y.array, [0.005, 0.005, 0])
    np.testing.assert_allclose(line.error_y.arrayminus, [0.005, 0.01, 0])
    ring = slices.turntable_edge_error(views).data[0]
    assert list(ring.theta) == ["01", "02", "03", "01"] and list(ring.r) == [2, 3, 4, 2]


def test_slices_on_too_few_cars_are_grey(values):
    figure = slices.slice_intervals("colour", values, overall=0.981)
    enough, thin = figure.data
    assert list(enough.y) == ["black", "white &lt;"] and list(enough.x) == [0.98, 0.99]
    assert list(thin.y) == ["red"] and thin.marker.color == light("thin")
    assert list(figure.layout.yaxis.categoryarray) == ["black", "white &lt;", "red"]
    assert figure.layout.shapes[0].x0 == 0.981
    assert "32 photos of 2 cars" in enough.customdata[1] and "1 car" in thin.customdata[0]
    assert thin.customdata[0].endswith("16 photos of 1 car")


def test_error_distances_are_fractions_of_the_wrong_pixels():
    positives, negatives, cumulative = errors.error_distances(DISTANCES).data
    assert list(positives.x) == ["0–1", "1–2", ">2"]
    np.testing.assert_allclose(positives.y, [0.3, 0.1, 0.0])
    np.testing.assert_allclose(negatives.y, [0.2, 0.2, 0.2])
    np.testing.assert_allclose(cumulative.y, [0.5, 0.8, 1.0])


def test_error_classes_stand_from_costliest_to_cheapest():
    figure = errors.error_classes(CLASSES)
    positives, negatives = figure.data
    assert list(figure.layout.yaxis.categoryarray) == ["thin structure", "ground shadow"]
    assert list(positives.x) == [0.003, 0.001] and list(negatives.x) == [0.004]
    assert [list(row) for row in negatives.customdata] == [[2, 20]]


def test_threshold_curve_scales_to_the_useful_thresholds():
    dice = np.concatenate([[0.1], np.linspace(0.98, 0.99, 254), [0.2]])
    figure = confidence.threshold_curve(dice, 0.5)
    np.testing.assert_array_equal(figure.data[0].y, dice)
    assert figure.data[0].x[128] == 0.5 and figure.layout.shapes[0].x0 == 0.5
    low, high = figure.layout.yaxis.range
    assert 0.97 < low < 0.981 and 0.989 < high < 1


def test_calibration_has_a_line_for_each_kind_of_pixel():
    reliability = pd.DataFrame(
        {
            "where": ["all", "all", "near", "near"],
            "probability": [0.1, 0.9, 0.2, 0.8],
            "car_fraction": [0.0, 1.0, 0.3, 0.7],
            "pixels": [10, 20, 3, 4],
        }
    )
    perfect, everywhere, near = confidence.calibration(reliability).data
    assert list(perfect.x) == list(perfect.y) == [0, 1]
    assert everywhere.name == "all" and list(everywhere.y) == [0.0, 1.0]
    assert near.name == "near" and list(near.x) == [0.2, 0.8] and list(near.customdata) == [3, 4]


def test_learning_curves_mark_the_epoch_of_the_lowest_validation_loss():
    history = {
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.0, 1.5, 2.0],
        "dice": [0.1, 0.2, 0.3],
        "val_dice": [0.1, 0.3, 0.2],
    }
    figure = training.learning_curves(history)
    assert [list(line.y) for line in figure.data] == [
        history[name] for name in ("loss", "val_loss", "dice", "val_dice")
    ]
    assert list(figure.data[0].x) == [1, 2, 3] and figure.layout.shapes[0].x0 == 2
    assert figure.layout.title.text.endswith("lowest validation loss is at epoch 2")
    shown = [line.name for line in figure.data if line.showlegend]
    assert shown == ["training", "validation"]


def test_learning_curves_without_validation():
    figure = training.learning_curves({"dice": [0.1, 0.2]})
    assert [line.name for line in figure.data] == ["training"] and not figure.layout.shapes


def test_dice_stands_against_both_costs_with_names():
    networks = pd.DataFrame(
        {
            "name": ["a", "<b>"],
            "dice_mean": [0.9, 0.8],
            "training_seconds_per_photo": [0.5, 0.1],
            "prediction_ms_per_photo": [50.0, 10.0],
        }
    )
    figure = experiments.dice_against_cost(networks)
    for panel, column in zip(figure.data, networks.columns[2:], strict=True):
        assert list(panel.x) == networks[column].tolist()
        assert list(panel.y) == [0.9, 0.8]
        assert list(panel.text) == ["a", "&lt;b&gt;"]
    assert figure.layout.xaxis.type == figure.layout.xaxis2.type == "log"
    assert {"0.1", "0.2", "0.5"} <= set(figure.layout.xaxis.ticktext)
    assert list(figure.data[0].textposition) == ["top center", "bottom center"]


def test_trials_are_shown_in_order_and_against_each_parameter():
    table = pd.DataFrame(
        {
            "trial": [0, 1, 2, 3],
            "state": ["complete", "pruned", "complete", "complete"],
            "validation_dice": [0.8, np.nan, 0.7, 0.9],
            "training.learning_rate": [1e-3, 1e-4, 1e-2, 1e-1],
            "training.global_clipnorm": ["null", "1.0", "1.0", "null"],
        }
    )
    names = ["training.learning_rate", "training.global_clipnorm"]
    figure = experiments.trials(table, names, names[:1], {"training.learning_rate": 0.75})
    complete, best, pruned, rate, clip = figure.data
    assert list(zip(complete.x, complete.y, strict=True)) == [(0, 0.8), (2, 0.7), (3, 0.9)]
    assert list(best.y) == [0.8, 0.8, 0.9]
    assert list(pruned.x) == [1] and pruned.name == "pruned"
    assert list(rate.x) == [1e-3, 1e-2, 1e-1] and list(rate.y) == [0.8, 0.7, 0.9]
    assert list(clip.x) == ["null", "1.0", "null"]
    assert figure.layout.xaxis2.type == "log" and figure.layout.xaxis3.type == "category"
    assert {"0.001", "0.002", "0.005", "0.01"} <= set(figure.layout.xaxis2.ticktext)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["all trials", "learning_rate: 75% of the variance", "global_clipnorm"]


def test_hovers_have_a_space_before_their_values(scores, values):
    figures = [
        score_plots.dice_histogram(scores),
        score_plots.cars(scores),
        score_plots.false_positives_and_negatives(scores),
        slices.turntable(values),
        slices.turntable_edge_error(values),
        errors.error_distances(DISTANCES),
        errors.error_classes(CLASSES),
        confidence.threshold_curve(np.linspace(0, 1, 256), 0.5),
        training.learning_curves({"loss": [1.0], "dice": [0.5]}),
    ]
    templates = [trace.hovertemplate for figure in figures for trace in figure.data]
    templates = [template for template in templates if template]
    assert len(templates) >= len(figures)
    assert all(not re.search(r"[a-z:]%\{", template) for template in templates)
    assert all(figure.layout.title.text for figure in figures)
