"""Plots of the scores of photos."""

import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import (
    diagonal,
    log_axis,
    mark,
    photo_ids,
    photo_texts,
    plain,
    rows_axis,
    rows_height,
    whole_numbers,
)

HISTOGRAM_BINS = 40
"""Most bars, and no more than a quarter of the photos."""
MOST_CARS = 24
"""Cars in the plot of cars: the worst."""


def dice_histogram(photo_scores: pd.DataFrame) -> go.Figure:
    """Histogram of Dice over photos; columns ``photo_id`` and ``dice``."""
    dice = photo_scores["dice"].to_numpy()
    bins = min(HISTOGRAM_BINS, max(5, len(dice) // 4))
    counts, edges = np.histogram(dice, bins=bins)
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges),
            marker={"color": light("first"), "line": {"color": light("card"), "width": 1}},
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            hovertemplate="%{y} photos<br>Dice %{customdata[0]:.4f} to %{customdata[1]:.4f}"
            "<extra></extra>",
        ),
        layout={
            "title": f"Dice of {len(dice)} photos",
            "xaxis": {"title": "Dice"},
            "yaxis": {"title": "photos"} | whole_numbers(int(counts.max())),
            "bargap": 0,
        },
    )
    mark(figure, float(np.mean(dice)), f"mean {np.mean(dice):.4f}", "right", 1.0)
    mark(figure, float(np.median(dice)), f"median {np.median(dice):.4f}", "left", 1.0, "dot")
    return figure


def cars(photo_scores: pd.DataFrame, subject: Subject = CARS) -> go.Figure:
    """Edge error of every photo, a row for each of the worst cars, the worst on top.

    Args:
        photo_scores: Columns ``photo_id``, ``car``, ``view``, ``dice``, ``edge_error_px``, and
            ``make`` if it is known.
        subject: What cars are called.
    """
    mean = photo_scores.groupby("car")["edge_error_px"].mean().sort_values(ascending=False)
    shown = mean.head(MOST_CARS)
    photos = photo_scores[photo_scores["car"].isin(shown.index)]
    makes = photos["make"] if "make" in photos else pd.Series("", index=photos.index)
    make_of = dict(zip(photos["car"], makes.fillna(""), strict=True))
    label = {car: plain(f"{make_of[car]} {short(car)}".strip()) for car in shown.index}
    if len(set(label.values())) < len(label):
        label = {car: plain(str(car)) for car in shown.index}
    of_worst = "" if len(shown) == len(mean) else f", the {len(shown)} worst of {len(mean)}"
    return go.Figure(
        [
            go.Scatter(
                x=photos["edge_error_px"],
                y=[label[car] for car in photos["car"]],
                mode="markers",
                ids=photo_ids(photos),
                customdata=photo_texts(photos),
                marker={"color": light("first"), "size": 8, "opacity": 0.55},
                hovertemplate="%{customdata}<br>edge error %{x:.2f} px<extra></extra>",
                name="a photo",
            ),
            go.Scatter(
                x=shown,
                y=[label[car] for car in shown.index],
                mode="markers",
                marker={"symbol": "line-ns-open", "size": 16, "color": light("ink")}
                | {"line": {"width": 2}},
                hovertemplate="mean %{x:.2f} px<extra></extra>",
                name=f"the {subject.one}'s mean",
            ),
        ],
        layout={
            "title": f"Edge error of each photo by {subject.one}{of_worst}",
            "xaxis": {"title": "edge error, px", "rangemode": "tozero"},
            "yaxis": rows_axis([label[car] for car in shown.index]),
            "height": rows_height(len(shown)),
        },
    )


def short(car: str) -> str:
    """The beginning of a long hexadecimal name, as Carvana's are; any other name as it is."""
    return car[:6] if re.fullmatch(r"[0-9a-f]{12,}", car) else car


def false_positives_and_negatives(photo_scores: pd.DataFrame) -> go.Figure:
    """False positives against false negatives of every photo, in native pixels.

    Zeros are drawn at 1, since both axes are logarithmic.
    """
    negatives = photo_scores["false_negatives"].clip(lower=1)
    positives = photo_scores["false_positives"].clip(lower=1)
    low, high = 1, 1
    if len(photo_scores):
        both = pd.concat([negatives, positives])
        low, high = both.min() / 1.3, both.max() * 1.3
    return go.Figure(
        [
            diagonal(low, high, showlegend=False),
            go.Scatter(
                x=negatives,
                y=positives,
                mode="markers",
                ids=photo_ids(photo_scores),
                customdata=photo_texts(photo_scores),
                marker={"color": light("first"), "size": 8, "opacity": 0.6},
                hovertemplate="%{customdata}<br>false negatives %{x:,} px<br>"
                "false positives %{y:,} px<extra></extra>",
                showlegend=False,
            ),
        ],
        layout={
            "title": "False positives against false negatives, by photo",
            "xaxis": {"title": "false negatives, px"} | log_axis(low, high),
            "yaxis": {"title": "false positives, px"} | log_axis(low, high),
        },
    )
