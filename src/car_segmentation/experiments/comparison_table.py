"""The table of a comparison of networks, and what it says in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

TABLE_COLUMNS = (
    "name",
    "dice_mean",
    "dice_median",
    "dice_worst",
    "edge_error_px",
    "parameters",
    "training_seconds_per_photo",
    "prediction_ms_per_photo",
    "peak_memory_gb",
    "epochs",
    "times_each_photo_was_seen",
    "training_minutes",
    "full_width_parameters",
    "full_width_training_seconds_per_photo",
)
"""Columns of the table, a row per candidate."""


def comparison_table(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per candidate with `TABLE_COLUMNS`, the best mean Dice first."""
    table = pd.DataFrame(results, columns=list(TABLE_COLUMNS))
    whole = ["parameters", "full_width_parameters", "epochs"]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    return table.sort_values(["dice_mean", "name"], ascending=[False, True], ignore_index=True)


def verdict(table: pd.DataFrame) -> str:
    """Which network won, by how much, and what it costs, in a few words."""
    best = table.iloc[0]
    sentence = (
        f"{best['name']} is best: Dice {best['dice_mean']:.4f} "
        f"(edge error {best['edge_error_px']:.1f} px)"
    )
    if len(table) > 1:
        second = table.iloc[1]
        ahead = f"{best['dice_mean'] - second['dice_mean']:.4f}"
        sentence += (
            f", {'level with' if ahead == '0.0000' else f'{ahead} before'} {second['name']}, "
            f"which costs {_ratio(second, best)} as much to train"
        )
    return sentence + "."


def _ratio(this: pd.Series, other: pd.Series) -> str:
    column = "training_seconds_per_photo"
    return f"{this[column] / other[column]:.2g} times"
