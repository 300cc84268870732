"""The report: one page that says how well a model cuts out cars, where it errs, and how sure it is.

Every section begins with a sentence that is computed from its data. A part that is not there (no
metadata, one car, no suspects) is left out, or its absence is said where it would be missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.parameters import CARS, Subject
from car_segmentation.report import interactive_charts as charts
from car_segmentation.report.html import (
    NO_VALUE,
    Block,
    Section,
    beside,
    facts,
    figure,
    folded,
    numbers,
    paragraph,
    picture,
    render_page,
    table,
)

ROWS_MIN_WIDTH = 460
"""Of charts with long names on the left; pixels."""
MOST_ROWS = 2000
"""Photos in the page's table, the worst; ``photo_scores.csv`` has them all."""
WORST_SHARE = 0.1
"""The lead says how many of the wrong pixels lie in this share of the photos."""
NEAR_EDGE_PX = 2
"""The lead says how many of the wrong pixels lie this near to the true edge, in native pixels."""
FAR_FROM_EDGE_PX = 16
"""And how many farther than this."""
SAME_DICE = 0.0001
"""Thresholds whose mean Dice differs by less are as good as each other."""

FEWEST_STEPS = 4
"""Numbered views that are drawn as a turn; fewer are drawn as any other slice."""

TOO_SURE = 0.8
"""The model is called too sure, or not sure enough, when so much of its miscalibration is of one
kind."""
MOST_SUSPECTS = 40
"""Masks in the table of suspects: the most suspect."""

HEADLINE = ("dice", "edge_error_px", "boundary_iou_2px", "surface_dice_2px", "hausdorff95_px")
"""Scores with a tile on top; they come first in tables too."""
ORDERED_SCORES = [*HEADLINE, *(name for name in SCORES if name not in HEADLINE)]

Summary = Mapping[str, Mapping[Any, Any]]
"""Mean, its interval, median and worst by score."""


@dataclass(frozen=True)
class ReportContents:
    """What the report shows. Everything with a default may be missing.

    Attributes:
        title: Heading of the page.
        subject: What is cut out, in words.
        facts: What was run, in words: network, input size, and so on.
        photo_scores: A row per test photo, the worst first: ``photo_id``, ``car``, ``view``,
            scores as in `SCORES`, and ``make`` where it is known.
        test_summary: A row per score: ``score`` (a name of `SCORES`), ``mean``, ``median``,
            ``worst``, and ``mean_low`` and ``mean_high``, the 95% interval of the mean (missing
            where there is only one car).
        validation_summary: The same of the validation photos.
        ceiling: What a perfect predictor would score at the network's input size:
            ``dice_mean``, and ``edge_error_px`` and other names of `SCORES`.
        error_distances: Wrong pixels by distance from the true edge, from the edge outwards:
            ``from_px`` and ``to_px`` (native pixels; inf in the last row), ``false_positives`` and
            ``false_negatives`` (pixels of all photos).
        error_classes: A row per class and kind of wrong region: ``class``, ``kind`` (``false
            positive`` or ``false negative``), ``regions``, ``pixels`` and ``dice_cost`` (mean over
            photos).
        slices: By name (``view``, ``make``, …), a row per value: ``value``, ``photos``, ``cars``,
            ``dice_mean``, ``dice_low`` and ``dice_high`` (missing where there is no interval),
            ``edge_error_px``, and ``enough``: whether it has cars enough to mean anything.
        plates: Photo id, caption and picture (uint8 RGB) of the worst photos, the worst first.
            Taken one after the other.
        worst_sheet: Contact sheet of the worst photos, uint8 RGB.
        random_sheet: Contact sheet of photos drawn at random, uint8 RGB.
        threshold: Probability from which a pixel is car.
        threshold_dice: Mean Dice of the validation photos at the thresholds k/len.
        calibration: ``where`` (which pixels; those that matter most come last), ``probability``
            (mean of the bin), ``car_share`` and ``pixels`` of each bin.
        calibration_errors: Expected calibration error, 0 to 1, by the names in ``where``.
        suspects: Photos whose mask deserves a second look, the most suspect first: ``photo_id``,
            ``reason`` and any more columns.
        suspect_sheet: Contact sheet of the first of them, uint8 RGB.
        history: Numbers of every epoch: ``loss``, ``dice``, ``val_loss``, ``val_dice``.
    """

    title: str
    facts: Mapping[str, str]
    photo_scores: pd.DataFrame
    test_summary: pd.DataFrame
    validation_summary: pd.DataFrame | None = None
    ceiling: Mapping[str, float] | None = None
    error_distances: pd.DataFrame | None = None
    error_classes: pd.DataFrame | None = None
    slices: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    plates: Iterable[tuple[str, str, np.ndarray]] = ()
    worst_sheet: np.ndarray | None = None
    random_sheet: np.ndarray | None = None
    threshold: float | None = None
    threshold_dice: np.ndarray | None = None
    calibration: pd.DataFrame | None = None
    calibration_errors: Mapping[str, float] = field(default_factory=dict)
    suspects: pd.DataFrame | None = None
    suspect_sheet: np.ndarray | None = None
    subject: Subject = CARS
    history: Mapping[str, Sequence[float]] | None = None


def report_page(contents: ReportContents) -> str:
    """The page, as HTML in one piece."""
    sections = [
        _numbers(contents),
        _errors(contents),
        _slices(contents),
        _photos(contents),
        _sureness(contents),
        _suspects(contents),
        _training(contents),
    ]
    lead = (
        f"{_count(contents.photo_scores, 'photo_id', 'photo')} of "
        f"{contents.subject.count(contents.photo_scores['car'].nunique())} that the model has "
        "never seen, each scored at its native size."
    )
    return render_page(contents.title, lead, [section for section in sections if section.body])


def _numbers(contents: ReportContents) -> Section:
    """How good it is."""
    test = _by_score(contents.test_summary)
    validation = _by_score(contents.validation_summary)
    ceiling = {
        name.removesuffix("_mean"): value for name, value in (contents.ceiling or {}).items()
    }
    scores = contents.photo_scores
    tiles = [
        (SCORES[name].label, _number(name, test[name]["mean"]), _interval_note(test, name))
        for name in HEADLINE
        if name in test
    ]
    if len(scores):
        worst = scores.iloc[0]
        tiles.append(("Worst photo's Dice", _number("dice", worst["dice"]), worst["photo_id"]))
    if "dice" in validation:
        note = _interval_note(validation, "dice") or "on validation"
        tiles.append(("Validation Dice", _number("dice", validation["dice"]["mean"]), note))
    if "dice" in ceiling:
        tiles.append(
            ("Ceiling at this size", _number("dice", ceiling["dice"]), "a perfect predictor's")
        )
    body = [
        numbers(tiles),
        facts(contents.facts),
        table(
            _summary_table(test, validation, ceiling), caption="Means over photos at native size."
        ),
        folded("What the scores mean", _meanings(test)),
    ]
    return Section("Scores", body, _numbers_lead(test, scores, ceiling, contents.subject))


def _numbers_lead(
    test: Summary, scores: pd.DataFrame, ceiling: Mapping[str, float], subject: Subject
) -> str:
    if "dice" not in test:
        return ""
    dice = test["dice"]["mean"]
    sentences = [f"Mask and truth agree to a mean Dice of {dice:.4f}."]
    if "edge_error_px" in test:
        edge = test["edge_error_px"]["mean"]
        sentences.append(f"That is as if every edge were off by {edge:.1f} px.")
    if "dice" in ceiling and dice < 1:
        share = (1 - ceiling["dice"]) / (1 - dice)
        sentences.append(
            f"The input size accounts for {share:.0%} of what is missing to 1: a perfect predictor "
            f"would reach {ceiling['dice']:.4f}."
        )
    if scores["car"].nunique() > 1:
        sentences.append(
            f"Intervals (95%) are over {subject.many}, since photos of one {subject.one} err alike."
        )
    else:
        sentences.append(f"All photos are of one {subject.one}, so there are no intervals.")
    return " ".join(sentences)


def _summary_table(
    test: Summary, validation: Summary, ceiling: Mapping[str, float]
) -> pd.DataFrame:
    names = [name for name in ORDERED_SCORES if name in test]
    columns: dict[str, list[str]] = {"Score": [SCORES[name].label for name in names]}
    for heading, column in (("Test: mean", "mean"), ("median", "median"), ("worst", "worst")):
        columns[heading] = [_number(name, test[name][column]) for name in names]
    columns["95% interval of the mean"] = [_interval_text(test, name) for name in names]
    if validation:
        columns["Validation: mean"] = [
            _number(name, validation.get(name, {}).get("mean")) for name in names
        ]
        columns["its 95% interval"] = [_interval_text(validation, name) for name in names]
    if ceiling:
        columns["Ceiling"] = [_number(name, ceiling.get(name)) for name in names]
    return pd.DataFrame(columns)


def _meanings(test: Summary) -> Block:
    names = [name for name in ORDERED_SCORES if name in test]
    return facts({SCORES[name].label: SCORES[name].meaning for name in names})


def _errors(contents: ReportContents) -> Section:
    """Where it errs."""
    body, leads = [], []
    distances = contents.error_distances
    if distances is not None and _wrong(distances).sum() > 0:
        leads.append(_distance_lead(distances))
        body.append(
            figure(
                charts.error_distances(distances),
                "Bars: share of all wrong pixels in each band, false positives red and false "
                "negatives blue. Line: share up to the end of the band.",
            )
        )
    classes = contents.error_classes
    if classes is not None and len(classes):
        leads.append(_class_lead(classes))
        body.append(
            figure(
                charts.error_classes(classes),
                "What mean Dice would gain if the errors of a class were gone. Rules, and no "
                "person, sorted the regions.",
                min_width=ROWS_MIN_WIDTH,
            )
        )
    body = [beside(*body)] if len(body) > 1 else body
    if classes is not None and len(classes):
        body.append(folded("Classes as a table", table(_class_table(classes), _CLASS_FORMATS)))
    return Section("Where it errs", body, " ".join(leads))


_CLASS_FORMATS = {
    "Regions": ",",
    "Pixels": ",",
    "Dice lost, mean over photos": ".5f",
    "of all lost": ".1%",
}


def _class_table(classes: pd.DataFrame) -> pd.DataFrame:
    lost = classes["dice_cost"].sum()
    columns = {
        "Class": classes["class"],
        "Kind": classes["kind"],
        "Regions": classes["regions"],
        "Pixels": classes["pixels"],
        "Dice lost, mean over photos": classes["dice_cost"],
        "of all lost": classes["dice_cost"] / lost if lost else 0.0,
    }
    return pd.DataFrame(columns).sort_values("Dice lost, mean over photos", ascending=False)


def _distance_lead(distances: pd.DataFrame) -> str:
    wrong = _wrong(distances)
    near = wrong[distances["to_px"] <= NEAR_EDGE_PX].sum() / wrong.sum()
    far = wrong[distances["from_px"] >= FAR_FROM_EDGE_PX].sum() / wrong.sum()
    return (
        f"{near:.0%} of the wrong pixels lie within {NEAR_EDGE_PX} px of the true edge, {far:.0%} "
        f"farther than {FAR_FROM_EDGE_PX} px from it."
    )


def _class_lead(classes: pd.DataFrame) -> str:
    cost = classes.groupby("class")["dice_cost"].sum().sort_values(ascending=False)
    if not cost.sum():
        return ""
    share = cost / cost.sum()
    dearest = [f"{name} ({share[name]:.0%})" for name in cost.index[:3] if cost[name] > 0]
    return f"What costs most Dice: {_listed(dearest)}."


def _slices(contents: ReportContents) -> Section:
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
                    charts.turntable(views, subject),
                    f"The same {subject.many} are seen in every view, so that a difference between "
                    "views is surer than the intervals look.",
                ),
                figure(charts.turntable_edge_error(views), _slice_finding(views, subject)),
            )
        )
    body.append(
        figure(
            charts.cars(scores, subject),
            f"A point is a photo, a stroke the {subject.one}'s mean. Click on a point to see the "
            "photo's plate, or its row.",
            min_width=ROWS_MIN_WIDTH,
        )
    )
    overall = float(scores["dice"].mean())
    others = {
        name: values
        for name, values in contents.slices.items()
        if len(values) > 1 and not (name == "view" and has_turntable)
    }
    if others:
        body.append(
            beside(
                *(
                    figure(
                        charts.slice_intervals(name, values, overall, subject),
                        _slice_finding(values, subject),
                    )
                    for name, values in others.items()
                )
            )
        )
    else:
        body.append(
            paragraph("There is nothing else to slice the photos by: no metadata was found.", True)
        )
    tables = [
        table(_slice_table(name, values, subject)) for name, values in contents.slices.items()
    ]
    if tables:
        body.append(folded("Slices as tables", *tables))
    return Section(title, body, _concentration_lead(scores, subject))


def _is_turntable(views: pd.DataFrame) -> bool:
    """Whether views are numbers, and enough of them to be steps of a turn."""
    return len(views) >= FEWEST_STEPS and all(str(value).isdigit() for value in views["value"])


def _slice_table(name: str, values: pd.DataFrame, subject: Subject) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name.capitalize(): values["value"].astype(str),
            "Photos": values["photos"],
            subject.many.capitalize(): values["cars"],
            "Mean Dice": [_number("dice", dice) for dice in values["dice_mean"]],
            "95% interval": [
                _between(low, high, ".4f")
                for low, high in zip(values["dice_low"], values["dice_high"], strict=True)
            ],
            "Edge error, px": [_number("edge_error_px", edge) for edge in values["edge_error_px"]],
            f"Enough {subject.many}": values["enough"].astype(bool),
        }
    )


def _slice_finding(values: pd.DataFrame, subject: Subject = CARS) -> str:
    """Best and worst of a slice, and whether their intervals are apart."""
    ranked = values[values["enough"].astype(bool)].sort_values("dice_mean")
    thin = len(values) - len(ranked)
    remark = f" {thin} of {len(values)} rest on too few {subject.many} to tell." if thin else ""
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
    """How unevenly the wrong pixels are spread over photos and cars."""
    wrong = _wrong(scores)
    if not wrong.sum():
        return "Not one pixel is wrong."
    few = max(1, round(WORST_SHARE * len(scores)))
    in_few = wrong.nlargest(few).sum() / wrong.sum()
    lead = f"The {few} photos with the most wrong pixels hold {in_few:.0%} of all."
    if few == 1:
        lead = f"The photo with the most wrong pixels holds {in_few:.0%} of all."
    by_car = wrong.groupby(scores["car"]).sum()
    if len(by_car) > 1:
        car = str(by_car.idxmax())
        lead += (
            f" One {subject.one} of {len(by_car)}, {_car_name(scores, car)}, has "
            f"{by_car[car] / wrong.sum():.0%} of them."
        )
    return lead


def _car_name(scores: pd.DataFrame, car: str) -> str:
    if "make" not in scores:
        return str(car)
    make = scores.loc[scores["car"] == car, "make"].iloc[0]
    return str(car) if pd.isna(make) or not make else f"{make} {car}"


def _photos(contents: ReportContents) -> Section:
    """Which photos."""
    scores = contents.photo_scores
    if scores.empty:
        return Section("Photos", [])
    plates, shown = [], []
    for photo_id, caption, rgb in contents.plates:
        plates.append(picture(rgb, caption, f"Error plate of photo {photo_id}", name=photo_id))
        shown.append(photo_id)
    rows = scores.head(MOST_ROWS)
    body = [
        beside(
            figure(charts.dice_histogram(scores)),
            figure(
                charts.missed_and_invented(rows),
                "Below the dotted line, more is missed than invented. Click on a point to see the "
                "photo's plate, or its row.",
            ),
        )
    ]
    of_all = "" if len(rows) == len(scores) else f" The worst {len(rows):,} of {len(scores):,}."
    linked = " An underlined photo leads to its plate." if shown else ""
    headings, formats = _score_headings(scores, contents.subject)
    body.append(
        table(
            rows[list(headings)].rename(columns=headings),
            formats,
            f"All photos, the worst first; click on a heading to sort.{linked}{of_all}",
            searchable=True,
            links={photo_id: photo_id for photo_id in shown},
        )
    )
    sheets = [
        (contents.worst_sheet, "The worst photos. False positives red, false negatives blue."),
        (contents.random_sheet, "Photos drawn at random, so that nobody judges by the worst."),
    ]
    body += [picture(sheet, caption, caption) for sheet, caption in sheets if sheet is not None]
    body.append(beside(*plates))
    return Section("Photos", body, _photos_lead(scores, len(shown)))


def _photos_lead(scores: pd.DataFrame, plates: int) -> str:
    dice = scores["dice"]
    lead = (
        f"Half of the photos reach a Dice of {dice.median():.4f}, nine in ten "
        f"{dice.quantile(0.1):.4f}; the worst has {dice.min():.4f}."
    )
    if plates:
        lead += f" Below the table: the {plates} worst, with their worst places enlarged."
    return lead


def _score_headings(
    scores: pd.DataFrame, subject: Subject
) -> tuple[dict[str, str], dict[str, str]]:
    """Headings of the photo table's columns, and formats by heading."""
    one = subject.one.capitalize()
    headings = {"photo_id": "Photo", "car": one, "view": "View", "make": "Make"}
    headings |= {name: SCORES[name].label for name in ORDERED_SCORES}
    headings = {name: heading for name, heading in headings.items() if name in scores}
    formats = {SCORES[name].label: SCORES[name].format for name in headings if name in SCORES}
    return headings, formats


def _sureness(contents: ReportContents) -> Section:
    """How sure it is."""
    body, leads = [], []
    dice = contents.threshold_dice
    if dice is not None and len(dice) and contents.threshold is not None:
        low, high = _as_good(dice)
        leads.append(
            f"A pixel is foreground from a probability of {contents.threshold:.3f}, chosen on "
            f"validation; any threshold from {low:.2f} to {high:.2f} is as good to within "
            f"{SAME_DICE} Dice."
        )
        body.append(figure(charts.threshold_curve(dice, contents.threshold)))
    if contents.calibration is not None and len(contents.calibration):
        leads += _calibration_leads(contents.calibration, contents.calibration_errors)
        body.append(
            figure(
                charts.calibration(contents.calibration),
                "Above the dotted line the model is too cautious: more is foreground than it says. "
                "Below, it takes too much for foreground.",
            )
        )
    return Section("How sure it is", [beside(*body)] if body else [], " ".join(leads))


def _calibration_leads(calibration: pd.DataFrame, errors: Mapping[str, float]) -> list[str]:
    """How far probabilities are off, and whether the model is too sure of itself."""
    leads = []
    if errors:
        parts = [f"{error:.1%} ({where})" for where, error in errors.items()]
        leads.append(f"Its probabilities are off by {_listed(parts)} on average.")
    where = calibration["where"].iloc[-1]
    bins = calibration[calibration["where"] == where]
    sure = bins["probability"].clip(lower=1 - bins["probability"])
    right = bins["car_share"].where(bins["probability"] >= 0.5, 1 - bins["car_share"])
    too_sure = (sure - right) * bins["pixels"]
    if abs(too_sure.sum()) > TOO_SURE * too_sure.abs().sum():
        much = "surer of itself than it should" if too_sure.sum() > 0 else "less sure than it could"
        leads.append(f"It is {much} be ({where}).")
    return leads


def _as_good(dice: np.ndarray) -> tuple[float, float]:
    """The thresholds round the best one whose Dice is as good."""
    good = dice >= dice.max() - SAME_DICE
    best = int(dice.argmax())
    bad_below = np.flatnonzero(~good[:best])
    bad_above = np.flatnonzero(~good[best:])
    low = bad_below[-1] + 1 if len(bad_below) else 0
    high = best + bad_above[0] - 1 if len(bad_above) else len(dice) - 1
    return low / len(dice), high / len(dice)


def _suspects(contents: ReportContents) -> Section:
    """Masks that deserve a second look."""
    suspects = contents.suspects
    title = "Suspect masks"
    if suspects is None:
        return Section(title, [])
    if suspects.empty:
        return Section(title, [paragraph("No mask looks suspect.")])
    suspects = suspects.head(MOST_SUSPECTS)
    first = suspects.iloc[0]
    lead = (
        f"The {_plural(len(suspects), 'true mask')} that most deserve a second look, since the "
        "model, the mirror view or the mask itself speaks against them. First of all "
        f"{first['photo_id']}: {first['reason']}"
    )
    headings = {name: str(name).replace("_", " ").capitalize() for name in suspects.columns}
    headings["photo_id"] = "Photo"
    formats = {
        headings[name]: ".4g"
        for name in suspects.columns
        if pd.api.types.is_float_dtype(suspects[name])
    }
    body = [
        table(
            suspects.rename(columns=headings),
            formats,
            "The most suspect first. A suspect mask may still be right: look before mending it.",
            searchable=True,
        )
    ]
    if contents.suspect_sheet is not None:
        caption = "The most suspect masks."
        body.append(picture(contents.suspect_sheet, caption, caption))
    return Section(title, body, lead.rstrip(".") + ".")


def _training(contents: ReportContents) -> Section:
    """How it was trained."""
    history = contents.history
    if not history or not history.get("loss"):
        return Section("Training", [])
    epochs = len(history["loss"])
    lead = f"{_plural(epochs, 'epoch')}."
    if history.get("val_loss"):
        best = int(np.argmin(history["val_loss"])) + 1
        lead = f"Of {_plural(epochs, 'epoch')}, number {best} had the lowest validation loss."
        if best == epochs and epochs > 1:
            lead += " It was the last one: the training had not begun to overfit."
    plots = [
        figure(charts.learning_curve(history, name)) for name in ("loss", "dice") if name in history
    ]
    return Section("Training", [beside(*plots)], lead)


def _by_score(summary: pd.DataFrame | None) -> Summary:
    if summary is None:
        return {}
    return {row["score"]: row for row in summary.to_dict("records")}


def _wrong(counts: pd.DataFrame) -> pd.Series:
    return counts["false_positives"] + counts["false_negatives"]


def _number(name: str, value: Any) -> str:
    return NO_VALUE if pd.isna(value) else format(value, SCORES[name].format)


def _between(low: Any, high: Any, specification: str) -> str:
    if pd.isna(low) or pd.isna(high):
        return NO_VALUE
    return f"{low:{specification}} to {high:{specification}}"


def _interval_text(summary: Summary, name: str) -> str:
    row = summary.get(name, {})
    return _between(row.get("mean_low"), row.get("mean_high"), SCORES[name].format)


def _interval_note(summary: Summary, name: str) -> str:
    text = _interval_text(summary, name)
    return "" if text == NO_VALUE else f"95%: {text.replace(' to ', '–')}"


def _count(frame: pd.DataFrame, column: str, noun: str) -> str:
    return _plural(int(frame[column].nunique()), noun)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(items: Sequence[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
