"""Shared by all plots: labels, axes, error bars.

Every title says what is drawn, every axis its unit, and every point its photo. Text that comes
from users is escaped, since Plotly reads a few HTML tags in what it shows.
"""

import html
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from car_segmentation.core.text import printable
from car_segmentation.parameters import Subject
from car_segmentation.report.colours import light

ROW_HEIGHT = 26
"""Of a plot that has a row for each value; pixels."""
FRAME_HEIGHT = 96
"""Of such a plot's axis and margins; pixels."""


def plain(text: object) -> str:
    """Text that Plotly shows as it is."""
    return html.escape(printable(str(text)), quote=False)


def photo_ids(photos: pd.DataFrame) -> list[str]:
    """By which a click on a point finds the photo's picture or row on the page."""
    return [printable(str(photo_id)) for photo_id in photos["photo_id"]]


def photo_texts(photos: pd.DataFrame) -> list[str]:
    """Hover text of a photo's point."""
    return [
        f"<b>{plain(photo.photo_id)}</b><br>Dice {photo.dice:.4f}" for photo in photos.itertuples()
    ]


def slice_texts(values: pd.DataFrame, subject: Subject) -> list[str]:
    """Hover text of a slice's point."""
    texts = []
    for row in values.to_dict("records"):
        low, high = row["dice_low"], row["dice_high"]
        between = "" if pd.isna(low) else f" ({low:.4f} to {high:.4f})"
        texts.append(
            f"<b>{plain(row['value'])}</b><br>Dice {row['dice_mean']:.4f}{between}<br>edge error "
            f"{row['edge_error_px']:.2f} px<br>{_count(row['photos'], 'photo')} of "
            f"{subject.count(row['cars'])}"
        )
    return texts


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def interval_bars(values: pd.DataFrame, colour: str) -> dict[str, object]:
    """Error bars from mean to low and high; none where there is no interval."""
    mean = values["dice_mean"]
    return {
        "type": "data",
        "symmetric": False,
        "array": (values["dice_high"].astype(float) - mean).fillna(0),
        "arrayminus": (mean - values["dice_low"].astype(float)).fillna(0),
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }


def mark(
    figure: go.Figure, x: float, text: str, side: str, height: float, dash: str = "solid"
) -> None:
    """A vertical line with a word beside it, at a height from 0 to 1."""
    figure.add_shape(
        type="line",
        x0=x,
        x1=x,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": light("ink"), "width": 1.2, "dash": dash},
    )
    if text:
        figure.add_annotation(
            x=x,
            y=height,
            yref="paper",
            text=plain(text),
            showarrow=False,
            xanchor="right" if side == "right" else "left",
            yanchor="top",
            xshift=-6 if side == "right" else 6,
        )


def diagonal(low: float, high: float, **options: Any) -> go.Scatter:
    """A dotted line on which both axes are equal."""
    line = {"color": light("thin"), "dash": "dot", "width": 1}
    ends = [low, high]
    return go.Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", **options)


def rows_axis(labels: Iterable[str]) -> dict[str, object]:
    """An axis with a row for each label, the first on top."""
    names = list(labels)
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": names,
        "range": [len(names) - 0.5, -0.5],
        "ticklabelstandoff": 6,
        "showgrid": False,
    }


def rows_height(rows: int) -> int:
    """Height of a plot with a number of rows, in pixels."""
    return FRAME_HEIGHT + ROW_HEIGHT * max(rows, 3)


def log_axis(low: float, high: float) -> dict[str, object]:
    """A logarithmic axis between two bounds."""
    # 2 and 5 are named too where there are few powers of ten.
    ticks = "D2" if high / low < 300 else 1
    return {"type": "log", "range": [float(np.log10(low)), float(np.log10(high))], "dtick": ticks}


def named_log_axis(values: pd.Series) -> dict[str, object]:
    """A logarithmic axis with every tick written out.

    Ticks are at 1, 2 and 5 times each power of ten, or at every digit where the values span less
    than a power of ten.
    """
    positive = values[values > 0]
    if positive.empty:
        return {"type": "log"}
    low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))
    steps = (1, 2, 5) if positive.max() >= 10 * positive.min() else range(1, 10)
    ticks = [step * 10.0**power for power in np.arange(low - 1, high + 1) for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def whole_numbers(count: int) -> dict[str, int]:
    """Ticks at every whole number where there are few."""
    return {"dtick": 1} if count <= 12 else {}
