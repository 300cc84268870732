"""The review queue: predicted photos in the order in which a person should look at them.

Signals (`review_signals`) are joined into one number, the Dice to expect, by a model that is fitted
on validation photos, whose Dice is known. The logarithm of the error, 1 − Dice, is a sum of the
logarithms of the signals, each in its standard deviations and with a positive weight: a mask that
looks worse in any way is never expected to be better.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from scipy.optimize import nnls

OFFSETS = {
    "expected_error": 1e-4,
    "edge_doubt": 0.1,
    "stray_doubt": 0.01,
    "loose_fraction": 1e-4,
    "hole_fraction": 1e-4,
    "view_outlier": 1.0,
    "mirror_error": 1e-4,
}
"""The signals that are joined, and what is added to each before its logarithm is taken: of smaller
values it makes no difference how much smaller they are."""
ERROR_OFFSET = 1e-5
"""The same for 1 − Dice."""
LEAST_SPREAD = 0.1
"""A signal has no smaller standard deviation (of its logarithm) than this: 10 %."""
PRIOR_WEIGHT = 0.1
"""Weight of each signal before there is data: a standard deviation stands for 10 % more error.
Validation photos may have no broken mask to learn from, such as one in pieces."""
PRIOR_PHOTOS = 30
"""How many photos' worth of evidence that is."""
LEAST_WEIGHT = 0.02
"""No signal weighs less, so that each can be a reason."""
INTERVAL = (0.1, 0.9)
"""Quantiles between which the Dice is expected."""
NOTICED = 0.5
"""Standard deviations from which a signal is a reason."""
REASONS = {
    "expected_error": "the model itself expects Dice {dice:.4f}; {usual_dice:.4f} is usual",
    "edge_doubt": "the edge is in doubt over {value:.1f} px; {usual:.1f} px are usual",
    "stray_doubt": "doubt away from the edge: {value:.2f} px per pixel of the edge; {usual:.2f} px "
    "are usual",
    "loose_fraction": "{value:.2%} of the mask is apart from the rest",
    "hole_fraction": "holes of {value:.2%} of the mask; {usual:.2%} are usual",
    "mirror_error": "mirrored, the photo gets another mask, of Dice {dice:.4f} with this one; "
    "{usual_dice:.4f} is usual",
    "view_outlier": "stands out from the other views by {value:.1f} standard deviations",
}
NOTHING_NOTICED = "nothing stands out"
NO_OBJECT = "no object was found"


@dataclass(frozen=True)
class SignalWeight:
    """A signal's part in the expected error.

    Attributes:
        centre: The median of its logarithm on validation photos.
        spread: Its standard deviation.
        weight: How much the logarithm of the error grows with a standard deviation; at least
            `LEAST_WEIGHT`.
    """

    centre: float
    spread: float
    weight: float


@dataclass(frozen=True)
class ReviewModel:
    """The Dice to expect from signals.

    Attributes:
        signals: Those that are used, by name.
        base: The logarithm of the error of a photo whose signals are all at their centres.
        interval: What is added to it at the ends of the interval (`INTERVAL`): quantiles of the
            residuals of photos whose car was left out of the fit.
        photos: Number of validation photos.
        budget: See `budget_curve`: of those photos, in that order.
    """

    signals: dict[str, SignalWeight]
    base: float
    interval: tuple[float, float]
    photos: int
    budget: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The model of what `to_dict` gave."""
        return TypeAdapter(cls).validate_python(content)

    def to_dict(self) -> dict[str, Any]:
        """What it is, as JSON has it."""
        return asdict(self)

    def parts(self, photos: pd.DataFrame) -> pd.DataFrame:
        """What each signal adds to the logarithm of the error; 0 where a photo lacks it."""
        return pd.DataFrame(
            {
                name: part.weight * (_logarithm(photos, name) - part.centre) / part.spread
                for name, part in self.signals.items()
            },
            index=photos.index,
        ).fillna(0.0)

    def log_error(self, photos: pd.DataFrame) -> pd.Series:
        """The expected logarithm of 1 − Dice."""
        return self.base + self.parts(photos).sum(axis=1)


def fit_review_model(photos: pd.DataFrame, names: Sequence[str] = tuple(OFFSETS)) -> ReviewModel:
    """Fit the Dice to expect on photos whose Dice is known.

    Non-negative least squares (Lawson and Hanson 1974), of weights above `LEAST_WEIGHT`, drawn
    towards `PRIOR_WEIGHT`.

    Args:
        photos: A row per photo: ``car``, ``dice`` and the signals; NaN where there is none.
        names: The signals that are used.
    """
    cars = photos["car"].to_numpy()
    held_out = pd.Series(np.nan, photos.index)
    for car in pd.unique(cars) if len(set(cars)) > 1 else ():
        rest = _fit(photos[cars != car], names)
        held_out[cars == car] = rest.log_error(photos[cars == car])
    model = _fit(photos, names)
    expected = held_out.fillna(model.log_error(photos))
    low, high = (_log_error_of(photos["dice"]) - expected).quantile(list(INTERVAL))
    budget = budget_curve(expected, photos["dice"])
    interval = min(0.0, float(low)), max(0.0, float(high))
    return ReviewModel(model.signals, model.base, interval, len(photos), tuple(budget))


def _fit(photos: pd.DataFrame, names: Sequence[str]) -> ReviewModel:
    logarithms = pd.DataFrame({name: _logarithm(photos, name) for name in names})
    centres = logarithms.median().fillna(0.0)
    spreads = logarithms.std().fillna(0.0).clip(lower=LEAST_SPREAD)
    steps = ((logarithms - centres) / spreads).fillna(0.0)
    target = _log_error_of(photos["dice"])
    pull = math.sqrt(PRIOR_PHOTOS)
    rows = np.concatenate([steps - steps.mean(), pull * np.eye(len(names))])
    goal = np.concatenate([target - target.mean(), np.full(len(names), pull * PRIOR_WEIGHT)])
    weights = LEAST_WEIGHT + nnls(rows, goal - LEAST_WEIGHT * rows.sum(axis=1))[0]
    signals = {
        name: SignalWeight(float(centres[name]), float(spreads[name]), float(weight))
        for name, weight in zip(names, weights, strict=True)
    }
    base = float(target.mean() - steps.mean() @ weights)
    return ReviewModel(signals, base, (0.0, 0.0), len(photos))


def usable_signals(photos: pd.DataFrame) -> list[str]:
    """The signals that photos have: probability maps, say, may not have been kept."""
    return [name for name in OFFSETS if name in photos and photos[name].notna().any()]


def rank_photos(photos: pd.DataFrame, model: ReviewModel) -> pd.DataFrame:
    """Put photos in the order in which a person should look at them.

    Args:
        photos: A row per photo: ``photo``, ``pieces``, ``warnings`` (text) and the signals. One
            that has no mask at all has no pieces (NaN), and an empty mask has 0.
        model: What its signals mean.

    Returns:
        The same rows, the least expected Dice first, as columns ``order`` (from 1), ``photo``,
        ``expected_dice``, ``lower``, ``upper`` (NaN for a photo without a mask) and ``reason``.
    """
    log_error = model.log_error(photos)
    is_empty = photos["pieces"] == 0
    low, high = model.interval
    queue = pd.DataFrame({"photo": photos["photo"]})
    for name, shift in (("expected_dice", 0.0), ("lower", high), ("upper", low)):
        dice = (1 - np.exp(log_error + shift) + ERROR_OFFSET).clip(0, 1)
        queue[name] = dice.mask(is_empty, 0.0).mask(photos["pieces"].isna())
    queue["reason"] = _reasons(photos, model)
    queue["exact"] = log_error.mask(is_empty, math.inf).mask(photos["pieces"].isna(), math.inf)
    queue = queue.sort_values(
        ["exact", "expected_dice", "photo"], ascending=[False, True, True], na_position="first"
    )
    queue.insert(0, "order", range(1, len(queue) + 1))
    return queue.drop(columns="exact").reset_index(drop=True)


def budget_curve(suspicion: pd.Series, dice: pd.Series, worst: float = 0.1) -> list[float]:
    """Which part of the worst photos is among the first 1 %, 2 % … 100 % of a queue.

    Args:
        suspicion: Larger is earlier in the queue.
        dice: True Dice, of the same photos.
        worst: The fraction of photos that are the worst; at least one photo.

    Returns:
        100 fractions.
    """
    count = max(1, round(worst * len(dice)))
    is_worst = np.zeros(len(dice), bool)
    is_worst[np.argsort(dice.to_numpy(), kind="stable")[:count]] = True
    found = np.cumsum(is_worst[np.argsort(-suspicion.to_numpy(), kind="stable")]) / count
    seen = [round(percent / 100 * len(dice)) for percent in range(1, 101)]
    return [float(found[photos - 1]) if photos else 0.0 for photos in seen]


def _reasons(photos: pd.DataFrame, model: ReviewModel) -> list[str]:
    """In words, the two signals that add most to each photo's error, and its warnings."""
    rows = photos.to_dict("records"), model.parts(photos).to_dict("records")
    return [_reason(photo, parts, model) for photo, parts in zip(*rows, strict=True)]


def _reason(photo: dict[Any, Any], parts: dict[Any, float], model: ReviewModel) -> str:
    if not photo["pieces"] > 0:
        return str(photo["warnings"]) or NO_OBJECT
    noticed = []
    for name in sorted(parts, key=lambda name: -parts[name]):
        signal = model.signals[name]
        if parts[name] > NOTICED * signal.weight:
            value, usual = photo[name], max(0.0, math.exp(signal.centre) - OFFSETS[name])
            words = REASONS[name]
            noticed.append(
                words.format(value=value, usual=usual, dice=1 - value, usual_dice=1 - usual)
            )
    warnings = [str(photo["warnings"])] if photo["warnings"] else []
    return "; ".join(noticed[:2] + warnings) or NOTHING_NOTICED


def _logarithm(photos: pd.DataFrame, name: str) -> pd.Series:
    if name not in photos:
        return pd.Series(np.nan, photos.index)
    return (photos[name].astype(float) + OFFSETS[name]).map(math.log)


def _log_error_of(dice: pd.Series) -> pd.Series:
    return (1 - dice + ERROR_OFFSET).map(math.log)
