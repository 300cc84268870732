"""Charts of the report that can be hovered: a frame in, a Plotly figure out.

Every title says what is drawn, every axis its unit, and every point its photo. Text that comes
from users is escaped, since Plotly reads a few HTML tags in what it shows.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.html import light

HISTOGRAM_BINS = 40
"""At most so many bars, and no more than a quarter of the photos."""
MOST_CARS = 24
"""Cars in the chart of cars: the worst."""
MOST_VALUES = 24
"""Values of one slice in its chart."""
ROW_HEIGHT = 26
"""Of a chart that has a row for each value; pixels."""
FRAME_HEIGHT = 96
"""Of such a chart's axis and margins; pixels."""
FAINT = "rgba(20, 150, 138, 0.15)"
"""Of the first colour, for areas in both themes."""
SHOWN_THRESHOLDS = 0.05
"""The curve's scale is set by the thresholds this far from 0 and 1."""


def dice_histogram(photo_scores: pd.DataFrame) -> go.Figure:
    """How Dice is spread over photos; columns ``photo_id`` and ``dice``."""
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
            "yaxis": {"title": "photos"} | _whole_numbers(int(counts.max())),
            "bargap": 0,
        },
    )
    _mark(figure, float(np.mean(dice)), f"mean {np.mean(dice):.4f}", "right", 1.0)
    _mark(figure, float(np.median(dice)), f"median {np.median(dice):.4f}", "left", 1.0, "dot")
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
    label = {car: _plain(f"{make_of[car]} {_short(car)}".strip()) for car in shown.index}
    if len(set(label.values())) < len(label):
        label = {car: _plain(str(car)) for car in shown.index}
    of_worst = "" if len(shown) == len(mean) else f", the {len(shown)} worst of {len(mean)}"
    figure = go.Figure(
        [
            go.Scatter(
                x=photos["edge_error_px"],
                y=[label[car] for car in photos["car"]],
                mode="markers",
                ids=photos["photo_id"].astype(str),
                customdata=_photo_texts(photos),
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
            "yaxis": _rows([label[car] for car in shown.index]),
            "height": _height(len(shown)),
        },
    )
    return figure


def missed_and_invented(photo_scores: pd.DataFrame) -> go.Figure:
    """False positives against false negatives of every photo, in native pixels.

    Zeros are drawn at 1, since both axes are logarithmic.
    """
    missed = photo_scores["false_negatives"].clip(lower=1)
    invented = photo_scores["false_positives"].clip(lower=1)
    low, high = 1, 1
    if len(photo_scores):
        both = pd.concat([missed, invented])
        low, high = both.min() / 1.3, both.max() * 1.3
    figure = go.Figure(
        [
            go.Scatter(
                x=[low, high],
                y=[low, high],
                mode="lines",
                line={"color": light("thin"), "width": 1, "dash": "dot"},
                hoverinfo="skip",
                showlegend=False,
            ),
            go.Scatter(
                x=missed,
                y=invented,
                mode="markers",
                ids=photo_scores["photo_id"].astype(str),
                customdata=_photo_texts(photo_scores),
                marker={"color": light("first"), "size": 8, "opacity": 0.6},
                hovertemplate="%{customdata}<br>missed %{x:,} px<br>invented %{y:,} px"
                "<extra></extra>",
                showlegend=False,
            ),
        ],
        layout={
            "title": "Pixels invented against pixels missed, by photo",
            "xaxis": {"title": "missed (false negatives), px"} | _log_axis(low, high),
            "yaxis": {"title": "invented (false positives), px"} | _log_axis(low, high),
        },
    )
    return figure


def turntable(by_view: pd.DataFrame, subject: Subject = CARS) -> go.Figure:
    """Mean Dice of every view with its interval.

    Args:
        by_view: A slice, as `slices` has it (see `report_page.ReportContents`).
        subject: What cars are called.
    """
    views = by_view.sort_values("value")
    figure = go.Figure(
        go.Scatter(
            x=[_plain(value) for value in views["value"]],
            y=views["dice_mean"],
            error_y=_interval(views, light("first")),
            mode="lines+markers",
            line={"color": light("first"), "width": 1.5},
            marker={"size": 8},
            customdata=_slice_texts(views, subject),
            hovertemplate="view %{customdata}<extra></extra>",
        ),
        layout={
            "title": "Dice round the turntable, with 95% intervals",
            "xaxis": {"title": "view", "type": "category"},
            "yaxis": {"title": "mean Dice"},
        },
    )
    return figure


def turntable_edge_error(by_view: pd.DataFrame) -> go.Figure:
    """Mean edge error of every view as the distance from the middle of the turntable."""
    views = by_view.sort_values("value")
    names = [_plain(value) for value in views["value"]]
    figure = go.Figure(
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
    return figure


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
        (False, "thin", f"too few {subject.many} to tell"),
    ):
        rows = shown[shown["enough"].astype(bool) == enough]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["dice_mean"],
            y=[_plain(value) for value in rows["value"]],
            error_x=_interval(rows, light(colour)),
            mode="markers",
            marker={"color": light(colour), "size": 9},
            customdata=_slice_texts(rows, subject),
            hovertemplate="%{customdata}<extra></extra>",
            name=label,
        )
    of_all = "" if len(shown) == len(values) else f", {len(shown)} of {len(values)}"
    figure.update_layout(
        title=f"Dice by {_plain(name)}{of_all}",
        xaxis={"title": "mean Dice"},
        yaxis=_rows([_plain(value) for value in shown["value"]]),
        height=_height(len(shown)),
        showlegend=True,
    )
    _mark(figure, overall, "", "right", 1.0, "dot")
    return figure


def error_distances(distances: pd.DataFrame) -> go.Figure:
    """Share of the wrong pixels in each band of distance from the true edge, and within it.

    Args:
        distances: Columns ``from_px``, ``to_px`` (inf in the last), ``false_positives`` and
            ``false_negatives`` (pixels), from the edge outwards.
    """
    bands = [band_name(low, high) for low, high in zip(*_bounds(distances), strict=True)]
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
            for column, name, colour in _KINDS
        ],
        layout={
            "title": "Wrong pixels by their distance from the true edge",
            "xaxis": {
                "title": "distance from the true edge, px",
                "type": "category",
                "tickangle": 0,
            },
            "yaxis": {"title": "share of wrong pixels", "tickformat": ".0%", "range": [0, 1.04]},
            "barmode": "stack",
        },
    )
    figure.add_scatter(
        x=bands,
        y=wrong.cumsum() / total,
        mode="lines+markers",
        name="all up to there",
        line={"color": light("quiet"), "width": 1.5},
        hovertemplate="%{y:.1%} of the wrong pixels up to here<extra></extra>",
    )
    return figure


def error_classes(classes: pd.DataFrame) -> go.Figure:
    """What each class of wrong regions costs, the dearest on top.

    Args:
        classes: Columns ``class``, ``kind`` (``false positive`` or ``false negative``),
            ``regions``, ``pixels`` and ``dice_cost`` (Dice, mean over photos).
    """
    cost = classes.groupby("class")["dice_cost"].sum().sort_values(ascending=False)
    figure = go.Figure()
    for _, name, colour in _KINDS:
        rows = classes[classes["kind"] == name.removesuffix("s")]
        figure.add_bar(
            x=rows["dice_cost"],
            y=[_plain(value) for value in rows["class"]],
            orientation="h",
            name=name,
            marker={"color": light(colour)},
            customdata=np.stack([rows["regions"], rows["pixels"]], axis=1),
            hovertemplate=f"%{{y}}: {name}<br>Dice lost: %{{x:.5f}} a photo<br>"
            "%{customdata[0]:,} regions, %{customdata[1]:,} px<extra></extra>",
        )
    figure.update_layout(
        title="Dice lost to each class of error, mean over photos",
        xaxis={"title": "Dice lost", "nticks": 5, "tickangle": 0},
        yaxis=_rows([_plain(value) for value in cost.index]),
        barmode="stack",
        height=_height(len(cost)),
    )
    return figure


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
    _mark(figure, chosen, f"chosen: {chosen:.3f}", "left", 0.12)
    return figure


def calibration(reliability: pd.DataFrame) -> go.Figure:
    """Share of foreground pixels among those of about one probability.

    Args:
        reliability: Columns ``where`` (which pixels: a line for each), ``probability`` (mean of
            the bin), ``car_share`` (0 to 1) and ``pixels``.
    """
    figure = go.Figure(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": light("thin"), "dash": "dot", "width": 1},
            hoverinfo="skip",
            name="perfect",
        )
    )
    looks = (("first", "circle"), ("second", "square"))
    for number, (where, bins) in enumerate(reliability.groupby("where", sort=False)):
        colour, symbol = looks[number % len(looks)]
        figure.add_scatter(
            x=bins["probability"],
            y=bins["car_share"],
            mode="lines+markers",
            name=_plain(where),
            line={"color": light(colour), "width": 1.5},
            marker={"symbol": symbol, "size": 7},
            customdata=bins["pixels"],
            hovertemplate="probability %{x:.2f}<br>foreground: %{y:.1%} of %{customdata:,} pixels"
            "<extra></extra>",
        )
    figure.update_layout(
        title="How often a pixel is foreground, against its probability",
        xaxis={"title": "predicted probability", "range": [-0.02, 1.02]},
        yaxis={"title": "share that is foreground", "range": [-0.02, 1.02], "tickformat": ".0%"},
    )
    return figure


def learning_curve(history: Mapping[str, Sequence[float]], name: str) -> go.Figure:
    """One number of every epoch, in training and validation; the epoch that was kept is marked."""
    epochs = np.arange(1, len(history[name]) + 1)
    figure = go.Figure(
        layout={
            "title": {"loss": "Loss", "dice": "Dice"}.get(name, _plain(name)),
            "xaxis": {"title": "epoch", "tickformat": "d"} | _whole_numbers(len(epochs)),
        }
    )
    for key, label, colour in (
        (name, "training", "first"),
        (f"val_{name}", "validation", "second"),
    ):
        if key in history:
            figure.add_scatter(
                x=epochs,
                y=list(history[key]),
                mode="lines+markers",
                name=label,
                line={"color": light(colour), "width": 1.5},
                hovertemplate=f"{label}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )
    if history.get("val_loss"):
        best = int(np.argmin(history["val_loss"])) + 1
        _mark(figure, best, "", "right", 1.0, "dot")
    return figure


def band_name(low: float, high: float) -> str:
    """A band of distances in words, in pixels: ``2–4``, or ``>32`` for the last."""
    return f"{low:g}–{high:g}" if np.isfinite(high) else f">{low:g}"


_KINDS = (
    ("false_positives", "false positives", "false_positive"),
    ("false_negatives", "false negatives", "false_negative"),
)
"""Column, name and colour of the two ways to be wrong."""


def _plain(text: object) -> str:
    """Text that Plotly shows as it is."""
    return html.escape(str(text), quote=False)


def _short(car: str) -> str:
    """The beginning of a long hexadecimal name, as Carvana's are; any other name as it is."""
    return car[:6] if re.fullmatch(r"[0-9a-f]{12,}", car) else car


def _photo_texts(photos: pd.DataFrame) -> list[str]:
    return [
        f"<b>{_plain(photo.photo_id)}</b><br>Dice {photo.dice:.4f}" for photo in photos.itertuples()
    ]


def _slice_texts(values: pd.DataFrame, subject: Subject) -> list[str]:
    texts = []
    for row in values.to_dict("records"):
        low, high = row["dice_low"], row["dice_high"]
        between = "" if pd.isna(low) else f" ({low:.4f} to {high:.4f})"
        texts.append(
            f"<b>{_plain(row['value'])}</b><br>Dice {row['dice_mean']:.4f}{between}<br>edge error "
            f"{row['edge_error_px']:.2f} px<br>{_count(row['photos'], 'photo')} of "
            f"{subject.count(row['cars'])}"
        )
    return texts


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _interval(values: pd.DataFrame, colour: str) -> dict[str, object]:
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


def _mark(
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
            text=_plain(text),
            showarrow=False,
            xanchor="right" if side == "right" else "left",
            yanchor="top",
            xshift=-6 if side == "right" else 6,
        )


def _rows(labels: Iterable[str]) -> dict[str, object]:
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


def _height(rows: int) -> int:
    return FRAME_HEIGHT + ROW_HEIGHT * max(rows, 3)


def _log_axis(low: float, high: float) -> dict[str, object]:
    # 2 and 5 are named too where there are few powers of ten.
    ticks = "D2" if high / low < 300 else 1
    return {"type": "log", "range": [float(np.log10(low)), float(np.log10(high))], "dtick": ticks}


def _whole_numbers(count: int) -> dict[str, int]:
    """Ticks at every whole number where there are few."""
    return {"dtick": 1} if count <= 12 else {}


def _bounds(distances: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return distances["from_px"], distances["to_px"]
