"""Plots of where the errors are, and what they cost."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import plain, rows_axis, rows_height

ERROR_KINDS = (
    ("false_positives", "false positives", "false_positive"),
    ("false_negatives", "false negatives", "false_negative"),
)
"""Column, name and colour of the two ways to be wrong."""


def error_distances(distances: pd.DataFrame) -> go.Figure:
    """Fraction of the wrong pixels in each band of distance from the true edge, and within it.

    Args:
        distances: Columns ``from_px``, ``to_px`` (inf in the last), ``false_positives`` and
            ``false_negatives`` (pixels), from the edge outwards.
    """
    bounds = zip(distances["from_px"], distances["to_px"], strict=True)
    bands = [band_name(low, high) for low, high in bounds]
    wrong = distances["false_positives"] + distances["false_negatives"]
    total = max(int(wrong.sum()), 1)
    figure = go.Figure(
        [
            go.Bar(
                x=bands,
                y=distances[column] / total,
                customdata=distances[column],
                name=name,
                marker={"color": light(colour)},
                hovertemplate=f"{name}<br>%{{x}} px from the edge<br>%{{y:.1%}} of the wrong "
                "pixels (%{customdata:,})<extra></extra>",
            )
            for column, name, colour in ERROR_KINDS
        ],
        layout={
            "title": "Wrong pixels by their distance from the true edge",
            "xaxis": {
                "title": "distance from the true edge, px",
                "type": "category",
                "tickangle": 0,
            },
            "yaxis": {"title": "fraction of wrong pixels", "tickformat": ".0%", "range": [0, 1.04]},
            "barmode": "stack",
        },
    )
    return figure.add_scatter(
        x=bands,
        y=wrong.cumsum() / total,
        mode="lines+markers",
        name="all up to there",
        line={"color": light("quiet"), "width": 1.5},
        hovertemplate="%{y:.1%} of the wrong pixels up to here<extra></extra>",
    )


def error_classes(classes: pd.DataFrame) -> go.Figure:
    """Plot the missing Dice of each class of wrong regions, the largest on top.

    Args:
        classes: Columns ``class``, ``kind`` (``false positive`` or ``false negative``),
            ``regions``, ``pixels`` and ``dice_cost`` (Dice, mean over photos).
    """
    cost = classes.groupby("class")["dice_cost"].sum().sort_values(ascending=False)
    figure = go.Figure()
    for _, name, colour in ERROR_KINDS:
        rows = classes[classes["kind"] == name.removesuffix("s")]
        figure.add_bar(
            x=rows["dice_cost"],
            y=[plain(value) for value in rows["class"]],
            orientation="h",
            name=name,
            marker={"color": light(colour)},
            customdata=np.stack([rows["regions"], rows["pixels"]], axis=1),
            hovertemplate=f"%{{y}}: {name}<br>Dice lost: %{{x:.5f}} a photo<br>"
            "%{customdata[0]:,} regions, %{customdata[1]:,} px<extra></extra>",
        )
    return figure.update_layout(
        title="Dice lost to each class of error, mean over photos",
        xaxis={"title": "Dice lost", "nticks": 5, "tickangle": 0},
        yaxis=rows_axis([plain(value) for value in cost.index]),
        barmode="stack",
        height=rows_height(len(cost)),
    )


def band_name(low: float, high: float) -> str:
    """A band of distances in words, in pixels: ``2–4``, or ``>32`` for the last."""
    return f"{low:g}–{high:g}" if np.isfinite(high) else f">{low:g}"
