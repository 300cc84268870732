"""Plots of many trainings: networks that are compared, trials of a search."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import named_log_axis, plain

COSTS = {
    "training_seconds_per_photo": "training, seconds per photo and step",
    "prediction_ms_per_photo": "prediction, milliseconds per photo",
}
"""Column and axis of what a network costs."""
MOST_COLUMNS = 3
PANEL_HEIGHT = 300
"""Pixels."""
MARKS = {"pruned": "line-ns-open", "failed": "x", "killed": "cross"}
"""Marker of trials that were not completed."""
LONGEST_VALUE = 24
"""Letters of a parameter's value on an axis."""


def dice_against_cost(networks: pd.DataFrame) -> go.Figure:
    """Mean Dice of compared networks against the time that a photo takes, in logarithmic scale.

    Args:
        networks: Columns ``name``, ``dice_mean``, ``training_seconds_per_photo`` and
            ``prediction_ms_per_photo``, a row per network.
    """
    figure = make_subplots(cols=len(COSTS), shared_yaxes=True, horizontal_spacing=0.04)
    for column, (cost, label) in enumerate(COSTS.items(), start=1):
        # Neighbours' names above and below in turn.
        rank = networks[cost].rank(method="first").astype(int)
        figure.add_scatter(
            x=networks[cost],
            y=networks["dice_mean"],
            text=networks["name"].map(plain),
            mode="markers+text",
            textposition=["top center" if even else "bottom center" for even in rank % 2 == 0],
            cliponaxis=False,
            marker={"color": light("first"), "size": 9},
            hovertemplate="<b>%{text}</b><br>Dice %{y:.4f}<br>%{x:.4g}<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
        figure.update_xaxes(title=label, **named_log_axis(networks[cost]), row=1, col=column)
    figure.update_yaxes(title="mean Dice of test photos, native size", row=1, col=1)
    return figure.update_layout(title="Dice against cost", height=420)


def trials(
    table: pd.DataFrame,
    parameters: Sequence[str],
    logarithmic: Sequence[str],
    importance: Mapping[str, float],
) -> go.Figure:
    """Validation Dice of a search's trials in their order, and against each parameter.

    Args:
        table: Columns ``trial``, ``state``, ``validation_dice``, and one for each parameter.
        parameters: The searched ones.
        logarithmic: Those with a logarithmic range.
        importance: Fraction of the variance of Dice that each accounts for, 0 to 1; those that it
            lacks show none.
    """
    titles = ["all trials"]
    for name in parameters:
        explained = f": {importance[name]:.0%} of the variance" if name in importance else ""
        titles.append(plain(name.rpartition(".")[2]) + explained)
    columns = min(MOST_COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows, columns, shared_yaxes="all", subplot_titles=titles, vertical_spacing=0.3 / rows
    )
    complete = table[table["state"] == "complete"]
    _in_order(figure, table, complete)
    for number, name in enumerate(parameters, start=1):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        values = complete[name]
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().all():
            shown = numbers.astype(float)
            axis = named_log_axis(shown) if name in logarithmic else {"type": "linear"}
        else:
            shown = values.map(lambda value: plain(str(value)[:LONGEST_VALUE]))
            axis = {"type": "category"}
        figure.add_scatter(
            x=shown,
            y=complete["validation_dice"],
            customdata=complete["trial"],
            mode="markers",
            marker={"color": light("first"), "size": 8},
            hovertemplate="trial %{customdata}<br>%{x}<br>Dice %{y:.4f}<extra></extra>",
            showlegend=False,
            **place,
        )
        figure.update_xaxes(title=plain(name), **axis, **place)
    for row in range(1, rows + 1):
        figure.update_yaxes(title="validation Dice", row=row, col=1)
    return figure.update_layout(
        title="Trials of the search, scored at native size",
        height=80 + PANEL_HEIGHT * rows,
        margin={"t": 48},
    )


def _in_order(figure: go.Figure, table: pd.DataFrame, complete: pd.DataFrame) -> None:
    """The trials as they came, with the best so far."""
    place = {"row": 1, "col": 1}
    figure.add_scatter(
        x=complete["trial"],
        y=complete["validation_dice"],
        mode="markers",
        marker={"color": light("first"), "size": 8},
        name="complete",
        hovertemplate="trial %{x}<br>Dice %{y:.4f}<extra></extra>",
        **place,
    )
    figure.add_scatter(
        x=complete["trial"],
        y=complete["validation_dice"].cummax(),
        mode="lines",
        line={"shape": "hv", "color": light("ink"), "width": 1.2},
        name="best so far",
        hoverinfo="skip",
        **place,
    )
    lowest = complete["validation_dice"].min()
    for state, symbol in MARKS.items():
        others = table.loc[table["state"] == state, "trial"]
        if len(others):
            figure.add_scatter(
                x=others,
                y=[lowest if pd.notna(lowest) else 0] * len(others),  # They have no Dice.
                mode="markers",
                marker={"symbol": symbol, "size": 9, "color": light("quiet")},
                name=state,
                hovertemplate=f"trial %{{x}}: {state}<extra></extra>",
                **place,
            )
    figure.update_xaxes(title="trial", tickformat="d", **place)
