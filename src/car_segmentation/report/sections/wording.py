"""Numbers and lists in words."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.report.html import NO_VALUE


def number(name: str, value: Any) -> str:
    """A score's value, as its field says."""
    return NO_VALUE if pd.isna(value) else format(value, SCORES[name].format)


def between(low: Any, high: Any, specification: str) -> str:
    """An interval, or the sign for a missing value."""
    if pd.isna(low) or pd.isna(high):
        return NO_VALUE
    return f"{low:{specification}} to {high:{specification}}"


def plural(number: int, noun: str) -> str:
    """A number of things: ``1 photo``, ``2 photos``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def wrong(counts: pd.DataFrame) -> pd.Series:
    """False positives and false negatives together."""
    return counts["false_positives"] + counts["false_negatives"]
