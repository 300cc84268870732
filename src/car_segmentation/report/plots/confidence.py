"""Plots of the threshold and of what probabilities are worth."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import diagonal, mark, plain

SHOWN_THRESHOLDS = 0.05
"""The curve's scale is set by the thresholds this far from 0 and 1."""


def threshold_curve(dice: np.ndarray, chosen: float) -> go.Figure:
    """Mean Dice of the validation photos at every threshold k/len(dice), and the chosen one."""
    thresholds = np.arange(len(dice)) / len(dice)
    inner = dice[(thresholds >= SHOWN_THRESHOLDS) & (thresholds <= 1 - SHOWN_THRESHOLDS)]
    spread = float(np.ptp(inner)) + 1e-6
    figure = go.Figure(
        go.Scatter(
            x=thresholds,
            y=dice,
            mode="lines",
            line={"color": light("first"), "width": 2},
            hovertemplate="threshold %{x:.3f}<br>mean Dice %{y:.5f}<extra></extra>",
        ),
        layout={
            "title": "Dice against the threshold, on validation",
            "xaxis": {"title": "probability from which a pixel is foreground", "range": [0, 1]},
            "yaxis": {
                "title": "mean Dice",
                "range": [float(inner.min()) - 0.05 * spread, float(inner.max()) + 0.15 * spread],
            },
        },
    )
    mark(figure, chosen, f"chosen: {chosen:.3f}", "left", 0.12)
    return figure


def calibration(reliability: pd.DataFrame) -> go.Figure:
    """Fraction of foreground pixels among those of about one probability.

    Args:
        reliability: Columns ``where`` (which pixels: a line for each), ``probability`` (mean of
            the bin), ``car_fraction`` (0 to 1) and ``pixels``.
    """
    figure = go.Figure(diagonal(0, 1, name="perfect"))
    looks = (("first", "circle"), ("second", "square"))
    for number, (where, bins) in enumerate(reliability.groupby("where", sort=False)):
        colour, symbol = looks[number % len(looks)]
        figure.add_scatter(
            x=bins["probability"],
            y=bins["car_fraction"],
            mode="lines+markers",
            name=plain(where),
            line={"color": light(colour), "width": 1.5},
            marker={"symbol": symbol, "size": 7},
            customdata=bins["pixels"],
            hovertemplate="probability %{x:.2f}<br>foreground: %{y:.1%} of %{customdata:,} pixels"
            "<extra></extra>",
        )
    return figure.update_layout(
        title="How often a pixel is foreground, against its probability",
        xaxis={"title": "predicted probability", "range": [-0.02, 1.02]},
        yaxis={"title": "fraction that is foreground", "range": [-0.02, 1.02], "tickformat": ".0%"},
    )
