"""Which cars and views the model is good at."""

import pandas as pd

from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.html import (
    ROWS_MIN_WIDTH,
    Section,
    beside,
    figure,
    folded,
    paragraph,
    table,
)
from car_segmentation.report.plots import scores as score_plots
from car_segmentation.report.plots import slices as plots
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import between, number, wrong

WORST_FRACTION = 0.1
"""The lead says how many of the wrong pixels lie in this fraction of the photos."""
FEWEST_STEPS = 4
"""Numbered views that are drawn as a turn; fewer are drawn as any other slice."""


def slices_section(contents: ReportContents) -> Section:
    """Which cars and views."""
    scores, subject = contents.photo_scores, contents.subject
    title = f"{subject.many.capitalize()} and views"
    if scores.empty:
        return Section(title, [])
    body = []
    views = contents.slices.get("view")
    has_turntable = views is not None and _is_turntable(views)
    if views is not None and has_turntable:
        body.append(
            beside(
                figure(
                    plots.turntable(views, subject),
                    f"The same {subject.many} are seen in every view, so that a difference between "
                    "views is more certain than the intervals suggest.",
                ),
                figure(plots.turntable_edge_error(views), _slice_finding(views, subject)),
            )
        )
    body.append(
        figure(
            score_plots.cars(scores, subject),
            f"A point is a photo, a stroke the {subject.one}'s mean. Click on a point to see the "
            "photo's error panel, or its row.",
            min_width=ROWS_MIN_WIDTH,
        )
    )
    overall = float(scores["dice"].mean())
    others = {
        name: values
        for name, values in contents.slices.items()
        if len(values) > 1 and not (name == "view" and has_turntable)
    }
    intervals = [
        figure(
            plots.slice_intervals(name, values, overall, subject), _slice_finding(values, subject)
        )
        for name, values in others.items()
    ]
    nothing = "There is nothing else to slice the photos by: no metadata was found."
    body.append(beside(*intervals) if intervals else paragraph(nothing, quiet=True))
    tables = [
        table(_slice_table(name, values, subject)) for name, values in contents.slices.items()
    ]
    if tables:
        body.append(folded("Slices as tables", *tables))
    return Section(title, body, _concentration_lead(scores, subject))


def _is_turntable(views: pd.DataFrame) -> bool:
    """True if views are numbers, and enough of them to be steps of a turn."""
    return len(views) >= FEWEST_STEPS and all(str(value).isdigit() for value in views["value"])


def _slice_table(name: str, values: pd.DataFrame, subject: Subject) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name.capitalize(): values["value"].astype(str),
            "Photos": values["photos"],
            subject.many.capitalize(): values["cars"],
            "Mean Dice": [number("dice", dice) for dice in values["dice_mean"]],
            "95% interval": [
                between(low, high, ".4f")
                for low, high in zip(values["dice_low"], values["dice_high"], strict=True)
            ],
            "Edge error, px": [number("edge_error_px", edge) for edge in values["edge_error_px"]],
            f"Enough {subject.many}": values["enough"].astype(bool),
        }
    )


def _slice_finding(values: pd.DataFrame, subject: Subject = CARS) -> str:
    """Best and worst of a slice, and whether their intervals are apart."""
    ranked = values[values["enough"].astype(bool)].sort_values("dice_mean")
    thin = len(values) - len(ranked)
    remark = f" {thin} of {len(values)} rest on too few {subject.many}." if thin else ""
    if len(ranked) < 2:
        return f"Too few {subject.many} to compare.{remark if len(ranked) else ''}"
    worst, best = ranked.iloc[0], ranked.iloc[-1]
    ends = (
        f"Worst: {worst['value']} ({worst['dice_mean']:.4f}); best: {best['value']} "
        f"({best['dice_mean']:.4f})."
    )
    if pd.isna(worst["dice_high"]) or pd.isna(best["dice_low"]):
        return ends + remark
    apart = worst["dice_high"] < best["dice_low"]
    return f"{ends} Their intervals {'do not ' if apart else ''}overlap.{remark}"


def _concentration_lead(scores: pd.DataFrame, subject: Subject) -> str:
    """Describe how unevenly wrong pixels are spread over photos and cars."""
    pixels = wrong(scores)
    if not pixels.sum():
        return "No pixel is wrong."
    few = max(1, round(WORST_FRACTION * len(scores)))
    in_few = pixels.nlargest(few).sum() / pixels.sum()
    lead = f"The {few} photos with the most wrong pixels hold {in_few:.0%} of all."
    if few == 1:
        lead = f"The photo with the most wrong pixels holds {in_few:.0%} of all."
    by_car = pixels.groupby(scores["car"]).sum()
    if len(by_car) > 1:
        car = str(by_car.idxmax())
        lead += (
            f" One {subject.one} of {len(by_car)}, {_car_name(scores, car)}, has "
            f"{by_car[car] / pixels.sum():.0%} of them."
        )
    return lead


def _car_name(scores: pd.DataFrame, car: str) -> str:
    if "make" not in scores:
        return str(car)
    make = scores.loc[scores["car"] == car, "make"].iloc[0]
    return str(car) if pd.isna(make) or not make else f"{make} {car}"
