"""Charts for the report, as matplotlib figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike

CHART_SIZE = (7.5, 4.2)
"""Width and height in inches."""


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Loss and Dice of every epoch, in training and validation, side by side."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss_axes, dice_axes = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    best = int(np.argmin(history["val_loss"])) + 1
    for axes, name, title in ((loss_axes, "loss", "Loss"), (dice_axes, "dice", "Dice")):
        axes.plot(epochs, history[name], marker=".", label="training")
        axes.plot(epochs, history[f"val_{name}"], marker=".", label="validation")
        axes.axvline(best, color="grey", linewidth=1, linestyle=":", label=f"best epoch ({best})")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    loss_axes.legend()
    return figure


def dice_histogram(dice: ArrayLike) -> Figure:
    """How Dice is spread over photos, with mean and median."""
    dice = np.asarray(dice)
    figure = Figure(figsize=CHART_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.hist(dice, bins=min(40, max(5, len(dice) // 4)), color="tab:green", alpha=0.75)
    for value, name, style in (
        (float(np.mean(dice)), "mean", "-"),
        (float(np.median(dice)), "median", "--"),
    ):
        axes.axvline(value, color="black", linestyle=style, label=f"{name} {value:.4f}")
    axes.set(
        title=f"Dice of {len(dice)} test photos, at native size", xlabel="Dice", ylabel="photos"
    )
    axes.legend()
    axes.grid(alpha=0.3)
    return figure


def threshold_curve(dice: np.ndarray, chosen: float) -> Figure:
    """Mean Dice of the validation photos against the threshold."""
    figure = Figure(figsize=CHART_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(len(dice)) / len(dice), dice)
    axes.axvline(chosen, color="black", linestyle="--", label=f"chosen: {chosen:.3f}")
    shown = dice[len(dice) // 20 : -len(dice) // 20]
    axes.set(
        title="Validation Dice against the threshold",
        xlabel="probability from which a pixel is foreground",
        ylabel="mean Dice",
        ylim=(shown.min(), shown.max() + 0.1 * (np.ptp(shown) + 1e-6)),
    )
    axes.legend()
    axes.grid(alpha=0.3)
    return figure


def dice_against_cost(networks: pd.DataFrame) -> Figure:
    """Mean Dice of compared networks against the time that a photo takes, in logarithmic scale.

    Args:
        networks: Columns ``name``, ``dice_mean``, ``training_seconds_per_photo`` and
            ``prediction_ms_per_photo``, a row per network.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column, label in zip(
        panels,
        ("training_seconds_per_photo", "prediction_ms_per_photo"),
        ("training, seconds per photo and step", "prediction, milliseconds per photo"),
        strict=True,
    ):
        axes.scatter(networks[column], networks["dice_mean"], color="tab:green", zorder=2)
        for name, cost, dice in networks[["name", column, "dice_mean"]].itertuples(index=False):
            axes.annotate(name, (cost, dice), xytext=(6, 3), textcoords="offset points", fontsize=9)
        axes.set(xscale="log", xlabel=label)
        axes.margins(x=0.25)
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("mean Dice of test photos, native size")
    figure.suptitle("Dice against cost")
    return figure


def trials(
    table: pd.DataFrame,
    parameters: Sequence[str],
    logarithmic: Sequence[str],
    importance: Mapping[str, float],
) -> Figure:
    """Validation Dice of a search's trials in their order, and against each parameter.

    Args:
        table: Columns ``trial``, ``state``, ``validation_dice``, and one for each parameter.
        parameters: The searched ones.
        logarithmic: Those with a logarithmic range.
        importance: Share of each in the spread of Dice, 0 to 1; those that it lacks show none.
    """
    columns = min(3, 1 + len(parameters))
    rows = -(-(1 + len(parameters)) // columns)
    figure = Figure(figsize=(4 * columns, 3.4 * rows), layout="constrained")
    order, *panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    complete = table[table["state"] == "complete"]
    order.plot(complete["trial"], complete["validation_dice"], "o", color="tab:green")
    best = complete["validation_dice"].cummax()
    order.step(complete["trial"], best, where="post", color="black", label="best so far")
    for state, mark in (("pruned", "|"), ("failed", "x"), ("killed", "+")):
        others = table.loc[table["state"] == state, "trial"]
        if len(others):
            floor = np.full(len(others), 0.03)  # They have no Dice at native size.
            frame = order.get_xaxis_transform()
            order.plot(others, floor, mark, color="grey", transform=frame, label=state)
    order.set(title="all trials", xlabel="trial", ylabel="validation Dice, native size")
    order.xaxis.get_major_locator().set_params(integer=True)
    order.legend()
    for axes, name in zip(panels, parameters, strict=False):
        values = complete[name]
        numbers = pd.to_numeric(values, errors="coerce").notna().all()
        plotted = values.astype(float) if numbers else values.map(lambda value: str(value)[:24])
        axes.plot(plotted, complete["validation_dice"], "o", color="tab:green")
        axes.set(title=name.rpartition(".")[2], xlabel=name)
        if name in importance:
            axes.set_title(f"{axes.get_title()}: {importance[name]:.0%} of the spread")
        if name in logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif numbers:
            whole = bool((plotted % 1 == 0).all())
            axes.xaxis.get_major_locator().set_params(integer=whole)
    for axes in panels[len(parameters) :]:
        axes.set_axis_off()
    for axes in (order, *panels):
        axes.grid(alpha=0.3)
    return figure
