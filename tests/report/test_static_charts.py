import numpy as np
import pandas as pd
import pytest

from car_segmentation.report import static_charts as charts


def test_learning_curves_mark_the_best_epoch() -> None:
    history = {
        "loss": [3, 2, 1],
        "val_loss": [3, 1, 2],
        "dice": [0.1, 0.2, 0.3],
        "val_dice": [0.1, 0.3, 0.2],
    }
    loss_axes, dice_axes = charts.learning_curves(history).axes
    labels = [text.get_text() for text in loss_axes.get_legend().get_texts()]
    assert labels == ["training", "validation", "best epoch (2)"]
    assert dice_axes.lines[1].get_ydata().tolist() == [0.1, 0.3, 0.2]


def test_the_histogram_counts_every_photo() -> None:
    (axes,) = charts.dice_histogram([0.9, 0.95, 0.99, 0.99]).axes
    assert sum(bar.get_height() for bar in axes.patches) == 4
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["mean 0.9575", "median 0.9700"]


def test_the_threshold_curve_spans_zero_to_one() -> None:
    dice = np.linspace(0.9, 0.99, 256)
    (axes,) = charts.threshold_curve(dice, chosen=0.4).axes
    assert axes.lines[0].get_xdata()[[0, 128]].tolist() == [0, 0.5]
    assert axes.lines[1].get_xdata()[0] == pytest.approx(0.4)


def test_dice_stands_against_both_costs_with_names() -> None:
    networks = pd.DataFrame(
        {
            "name": ["a", "b"],
            "dice_mean": [0.9, 0.8],
            "training_seconds_per_photo": [0.5, 0.1],
            "prediction_ms_per_photo": [50.0, 10.0],
        }
    )
    panels = charts.dice_against_cost(networks).axes
    for axes, column in zip(panels, networks.columns[2:], strict=True):
        points = axes.collections[0].get_offsets()
        assert np.asarray(points) == pytest.approx(networks[[column, "dice_mean"]].to_numpy())
        assert [text.get_text() for text in axes.texts] == ["a", "b"]


def test_trials_are_shown_in_order_and_against_each_parameter() -> None:
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
    figure = charts.trials(table, names, names[:1], {"training.learning_rate": 0.75})
    order, rate, clip = figure.axes
    assert order.lines[0].get_xydata().tolist() == [[0, 0.8], [2, 0.7], [3, 0.9]]
    assert order.lines[1].get_ydata().tolist() == [0.8, 0.8, 0.9]
    assert order.lines[2].get_xdata().tolist() == [1]
    assert [text.get_text() for text in order.get_legend().get_texts()] == ["best so far", "pruned"]
    assert rate.lines[0].get_xydata().tolist() == [[1e-3, 0.8], [1e-2, 0.7], [1e-1, 0.9]]
    figure.draw_without_rendering()
    ticks = [label.get_text() for label in rate.get_xticklabels(which="both")]
    assert {"0.001", "0.002", "0.005", "0.01"} <= set(ticks)
    assert (rate.get_xscale(), rate.get_title()) == ("log", "learning_rate: 75% of the spread")
    assert clip.lines[0].get_xdata(orig=True).tolist() == ["null", "1.0", "null"]
    assert (clip.get_xscale(), clip.get_title()) == ("linear", "global_clipnorm")
