"""Masks on their way to a labelling tool."""

from typing import NamedTuple

import numpy as np


class PredictedMask(NamedTuple):
    """A mask that a person is to correct."""

    photo: str
    """The photo's file name, with folders if it is in some."""
    mask: np.ndarray
    """Bool (height, width)."""
    score: float | None = None
    """Confidence, 0 to 1."""
