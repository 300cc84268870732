"""Plots of two runs beside each other."""

import pandas as pd
import plotly.graph_objects as go

from car_segmentation.evaluation.run_comparison import changes_by_car
from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import photo_ids, plain

SIGNED = "+~g"
"""Numbers with their sign, as Plotly writes them."""


def dice_changes(changes: pd.DataFrame) -> go.Figure:
    """Change of Dice of each photo against its Dice before.

    The change and not Dice itself is drawn upwards, for next to a diagonal it could not be seen.
    """
    chart = go.Figure()
    groups = (
        ("better", changes["change"] > 0, "first", "triangle-up"),
        ("worse", changes["change"] < 0, "second", "triangle-down"),
        ("the same", changes["change"] == 0, "quiet", "circle"),
    )
    for name, chosen, colour, symbol in groups:
        photos = changes[chosen]
        if photos.empty:
            continue
        chart.add_scatter(
            x=photos["dice_before"].tolist(),
            y=photos["change"].tolist(),
            ids=photo_ids(photos),
            text=photos["photo_id"].map(plain).tolist(),
            customdata=photos["dice_after"].tolist(),
            mode="markers",
            name=f"{name} ({len(photos):,})",
            marker={"color": light(colour), "symbol": symbol, "size": 8, "opacity": 0.75},
            hovertemplate="%{text}<br>Dice %{x:.4f} → %{customdata:.4f} (%{y:+.4f})<extra></extra>",
        )
    chart.add_hline(0, line={"color": light("thin"), "width": 1})
    return chart.update_layout(
        title="Change of Dice of each photo, against its Dice before",
        xaxis={"title": "Dice before"},
        yaxis={"title": "change of Dice", "tickformat": SIGNED},
        showlegend=True,
        height=420,
    )


def changes_of_cars(changes: pd.DataFrame, subject: Subject = CARS) -> go.Figure:
    """Mean change of Dice of each car, sorted."""
    cars = changes_by_car(changes)
    colours = [light("first" if change > 0 else "second") for change in cars["change"]]
    chart = go.Figure()
    chart.add_bar(
        x=list(range(len(cars))),
        y=cars["change"].tolist(),
        text=cars["car"].map(plain).tolist(),
        customdata=cars[["photos", "dice_before", "dice_after"]].to_numpy().tolist(),
        textposition="none",
        marker={"color": colours},
        hovertemplate=(
            f"{subject.one} %{{text}}, %{{customdata[0]}} photos<br>Dice %{{customdata[1]:.4f}} → "
            "%{customdata[2]:.4f} (%{y:+.4f})<extra></extra>"
        ),
    )
    return chart.update_layout(
        title=f"Mean change of Dice, {subject.one} by {subject.one}",
        xaxis={"title": f"{subject.many}, the one that lost most first", "showticklabels": False},
        yaxis={"title": "change of Dice", "tickformat": SIGNED},
    )
