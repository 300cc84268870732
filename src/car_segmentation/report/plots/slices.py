"""Plots of the scores of kinds of photos."""

import pandas as pd
import plotly.graph_objects as go

from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import (
    interval_bars,
    mark,
    plain,
    rows_axis,
    rows_height,
    slice_texts,
)

MOST_VALUES = 24
"""Values of one slice in its plot."""
FAINT = "rgba(20, 150, 138, 0.15)"
"""Of the first colour, for areas in both themes."""


def turntable(by_view: pd.DataFrame, subject: Subject = CARS) -> go.Figure:
    """Mean Dice of every view with its interval.

    Args:
        by_view: A slice, as `slices` has it (see `sections.contents.ReportContents`).
        subject: What cars are called.
    """
    views = by_view.sort_values("value")
    return go.Figure(
        go.Scatter(
            x=[plain(value) for value in views["value"]],
            y=views["dice_mean"],
            error_y=interval_bars(views, light("first")),
            mode="lines+markers",
            line={"color": light("first"), "width": 1.5},
            marker={"size": 8},
            customdata=slice_texts(views, subject),
            hovertemplate="view %{customdata}<extra></extra>",
        ),
        layout={
            "title": "Dice by position on the turntable, with 95% intervals",
            "xaxis": {"title": "view", "type": "category"},
            "yaxis": {"title": "mean Dice"},
        },
    )


def turntable_edge_error(by_view: pd.DataFrame) -> go.Figure:
    """Mean edge error of every view as the distance from the middle of the turntable."""
    views = by_view.sort_values("value")
    names = [plain(value) for value in views["value"]]
    return go.Figure(
        go.Scatterpolar(
            theta=[*names, names[0]],
            r=[*views["edge_error_px"], views["edge_error_px"].iloc[0]],
            mode="lines+markers",
            fill="toself",
            fillcolor=FAINT,
            line={"color": light("first"), "width": 1.5},
            marker={"size": 7},
            hovertemplate="view %{theta}<br>edge error %{r:.2f} px<extra></extra>",
        ),
        layout={
            "title": "Edge error round the turntable, px",
            "polar": {
                "angularaxis": {"type": "category", "direction": "clockwise", "rotation": 90},
                "radialaxis": {"rangemode": "tozero", "angle": 90, "tickangle": 90, "nticks": 4},
            },
            "margin": {"t": 28, "b": 28, "l": 36, "r": 36},
        },
    )


def slice_intervals(
    name: str, values: pd.DataFrame, overall: float, subject: Subject = CARS
) -> go.Figure:
    """Mean Dice and interval for each value of a slice; those on too little data are grey.

    Args:
        name: What the photos are sliced by.
        values: Columns ``value``, ``photos``, ``cars``, ``dice_mean``, ``dice_low``,
            ``dice_high``, ``edge_error_px`` and ``enough``.
        overall: Mean Dice of all photos.
        subject: What cars are called.
    """
    ranked = values.sort_values(["enough", "dice_mean"], ascending=[False, True])
    shown = ranked.head(MOST_VALUES)
    figure = go.Figure()
    for enough, colour, label in (
        (True, "first", "mean and 95% interval"),
        (False, "thin", f"too few {subject.many}"),
    ):
        rows = shown[shown["enough"].astype(bool) == enough]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["dice_mean"],
            y=[plain(value) for value in rows["value"]],
            error_x=interval_bars(rows, light(colour)),
            mode="markers",
            marker={"color": light(colour), "size": 9},
            customdata=slice_texts(rows, subject),
            hovertemplate="%{customdata}<extra></extra>",
            name=label,
        )
    of_all = "" if len(shown) == len(values) else f", {len(shown)} of {len(values)}"
    mark(figure, overall, "", "right", 1.0, "dot")
    return figure.update_layout(
        title=f"Dice by {plain(name)}{of_all}",
        xaxis={"title": "mean Dice"},
        yaxis=rows_axis([plain(value) for value in shown["value"]]),
        height=rows_height(len(shown)),
        showlegend=True,
    )
