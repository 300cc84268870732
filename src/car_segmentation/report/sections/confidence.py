"""The threshold, and whether probabilities are true."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from car_segmentation.report.html import Section, beside, figure
from car_segmentation.report.plots import confidence as plots
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import listed

SAME_DICE = 0.0001
"""Thresholds whose mean Dice differs by less are equivalent."""
ONE_SIDED = 0.8
"""The model is called overconfident or underconfident when so much of its miscalibration is of one
kind."""


def confidence_section(contents: ReportContents) -> Section:
    """Threshold and calibration."""
    body, leads = [], []
    dice = contents.threshold_dice
    if dice is not None and len(dice) and contents.threshold is not None:
        low, high = _equivalent_thresholds(dice)
        leads.append(
            f"A pixel is foreground from a probability of {contents.threshold:.3f}, chosen on "
            f"validation; thresholds from {low:.2f} to {high:.2f} are equivalent to within "
            f"{SAME_DICE} Dice."
        )
        body.append(figure(plots.threshold_curve(dice, contents.threshold)))
    if contents.calibration is not None and len(contents.calibration):
        leads += _calibration_leads(contents.calibration, contents.calibration_errors)
        body.append(
            figure(
                plots.calibration(contents.calibration),
                "Above the dotted line, probabilities are too low: more is foreground than they "
                "say. Below, they are too high.",
            )
        )
    return Section("Confidence", [beside(*body)] if body else [], " ".join(leads))


def _calibration_leads(calibration: pd.DataFrame, errors: Mapping[str, float]) -> list[str]:
    """Calibration error, and whether the model is over- or underconfident."""
    leads = []
    if errors:
        parts = [f"{error:.1%} ({where})" for where, error in errors.items()]
        leads.append(f"Its probabilities are off by {listed(parts)} on average.")
    where = calibration["where"].iloc[-1]
    bins = calibration[calibration["where"] == where]
    confidence = bins["probability"].clip(lower=1 - bins["probability"])
    accuracy = bins["car_fraction"].where(bins["probability"] >= 0.5, 1 - bins["car_fraction"])
    excess = (confidence - accuracy) * bins["pixels"]
    if abs(excess.sum()) > ONE_SIDED * excess.abs().sum():
        leads.append(
            f"The model is {'over' if excess.sum() > 0 else 'under'}confident ({where}): its "
            f"probabilities are too {'extreme' if excess.sum() > 0 else 'cautious'}."
        )
    return leads


def _equivalent_thresholds(dice: np.ndarray) -> tuple[float, float]:
    """The range of thresholds around the best one whose Dice is equivalent."""
    good = dice >= dice.max() - SAME_DICE
    best = int(dice.argmax())
    bad_below = np.flatnonzero(~good[:best])
    bad_above = np.flatnonzero(~good[best:])
    low = bad_below[-1] + 1 if len(bad_below) else 0
    high = best + bad_above[0] - 1 if len(bad_above) else len(dice) - 1
    return low / len(dice), high / len(dice)
