"""The report's section on the scores."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.parameters import Subject
from car_segmentation.report.html import NO_VALUE, Block, Section, facts, folded, numbers, table
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import between, number

HEADLINE = ("dice", "edge_error_px", "boundary_iou_2px", "surface_dice_2px", "hausdorff95_px")
"""Scores with a tile on top; they come first in tables too."""
ORDERED_SCORES = [*HEADLINE, *(name for name in SCORES if name not in HEADLINE)]
Summary = Mapping[str, Mapping[Any, Any]]
"""Mean, its interval, median and worst by score."""


def scores_section(contents: ReportContents) -> Section:
    """Write the section on the scores."""
    test = _by_score(contents.test_summary)
    validation = _by_score(contents.validation_summary)
    upper_bound = {
        name.removesuffix("_mean"): value for name, value in (contents.upper_bound or {}).items()
    }
    scores = contents.photo_scores
    tiles = [
        (SCORES[name].label, number(name, test[name]["mean"]), _interval_note(test, name))
        for name in HEADLINE
        if name in test
    ]
    if len(scores):
        worst = scores.iloc[0]
        tiles.append(("Worst photo's Dice", number("dice", worst["dice"]), worst["photo_id"]))
    if "dice" in validation:
        note = _interval_note(validation, "dice") or "on validation"
        tiles.append(("Validation Dice", number("dice", validation["dice"]["mean"]), note))
    if "dice" in upper_bound:
        tiles.append(
            (
                "Upper bound at this input size",
                number("dice", upper_bound["dice"]),
                "a perfect predictor's",
            )
        )
    body = [
        numbers(tiles),
        facts(contents.facts),
        table(
            _summary_table(test, validation, upper_bound),
            caption="Means over photos at native size.",
        ),
        folded("What the scores mean", _meanings(test)),
    ]
    return Section("Scores", body, _numbers_lead(test, scores, upper_bound, contents.subject))


def _numbers_lead(
    test: Summary, scores: pd.DataFrame, upper_bound: Mapping[str, float], subject: Subject
) -> str:
    if "dice" not in test:
        return ""
    dice = test["dice"]["mean"]
    sentences = [f"Mask and truth agree to a mean Dice of {dice:.4f}."]
    if "edge_error_px" in test:
        edge = test["edge_error_px"]["mean"]
        sentences.append(f"That is as if every edge were off by {edge:.1f} px.")
    if "dice" in upper_bound and dice < 1:
        fraction = (1 - upper_bound["dice"]) / (1 - dice)
        sentences.append(
            f"The input size accounts for {fraction:.0%} of what is missing to 1: at this size, a "
            f"perfect predictor would reach {upper_bound['dice']:.4f}."
        )
    if scores["car"].nunique() > 1:
        sentences.append(
            f"Intervals (95%) are over {subject.many}, since errors in photos of one "
            f"{subject.one} are alike."
        )
    else:
        sentences.append(f"All photos are of one {subject.one}, so there are no intervals.")
    return " ".join(sentences)


def _summary_table(
    test: Summary, validation: Summary, upper_bound: Mapping[str, float]
) -> pd.DataFrame:
    names = [name for name in ORDERED_SCORES if name in test]
    columns: dict[str, list[str]] = {"Score": [SCORES[name].label for name in names]}
    for heading, column in (("Test: mean", "mean"), ("median", "median"), ("worst", "worst")):
        columns[heading] = [number(name, test[name][column]) for name in names]
    columns["95% interval of the mean"] = [_interval_text(test, name) for name in names]
    if validation:
        columns["Validation: mean"] = [
            number(name, validation.get(name, {}).get("mean")) for name in names
        ]
        columns["its 95% interval"] = [_interval_text(validation, name) for name in names]
    if upper_bound:
        columns["Upper bound"] = [number(name, upper_bound.get(name)) for name in names]
    return pd.DataFrame(columns)


def _meanings(test: Summary) -> Block:
    names = [name for name in ORDERED_SCORES if name in test]
    return facts({SCORES[name].label: SCORES[name].meaning for name in names})


def _by_score(summary: pd.DataFrame | None) -> Summary:
    if summary is None:
        return {}
    return {row["score"]: row for row in summary.to_dict("records")}


def _interval_text(summary: Summary, name: str) -> str:
    row = summary.get(name, {})
    return between(row.get("mean_low"), row.get("mean_high"), SCORES[name].format)


def _interval_note(summary: Summary, name: str) -> str:
    text = _interval_text(summary, name)
    return "" if text == NO_VALUE else f"95%: {text.replace(' to ', '–')}"
