"""Plots of a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from car_segmentation.report.colours import light
from car_segmentation.report.plots.style import whole_numbers

PANEL_HEIGHT = 250
"""Of one metric; pixels."""
METRICS = {"loss": "loss", "dice": "Dice"}
"""Names in the history, and what the axis calls them."""


def learning_curves(history: Mapping[str, Sequence[float]]) -> go.Figure:
    """Loss and Dice of every epoch, in training and validation; the best epoch is marked.

    Args:
        history: ``loss``, ``dice``, ``val_loss`` and ``val_dice`` of each epoch; what is missing is
            not drawn.
    """
    shown = [name for name in METRICS if name in history]
    figure = make_subplots(rows=len(shown), shared_xaxes=True, vertical_spacing=0.06)
    for row, name in enumerate(shown, start=1):
        for key, label, colour in (
            (name, "training", "first"),
            (f"val_{name}", "validation", "second"),
        ):
            if key in history:
                figure.add_scatter(
                    x=np.arange(1, len(history[key]) + 1),
                    y=list(history[key]),
                    mode="lines+markers",
                    name=label,
                    legendgroup=label,
                    showlegend=row == 1,
                    line={"color": light(colour), "width": 1.5},
                    hovertemplate=f"{label}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
                    row=row,
                    col=1,
                )
        figure.update_yaxes(title=METRICS[name], row=row, col=1)
    epochs = len(history[shown[0]])
    figure.update_xaxes(tickformat="d", **whole_numbers(epochs))
    figure.update_xaxes(title="epoch", row=len(shown), col=1)
    title = "Loss and Dice of each epoch"
    if history.get("val_loss"):
        best = int(np.argmin(history["val_loss"])) + 1
        figure.add_vline(best, line={"color": light("ink"), "width": 1.2, "dash": "dot"})
        title += f"; the lowest validation loss is at epoch {best}"
    return figure.update_layout(title=title, height=60 + PANEL_HEIGHT * len(shown))
