"""Which photos are wrong, and what that looks like."""

import pandas as pd

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.parameters import Subject
from car_segmentation.report.html import Section, beside, figure, picture, table
from car_segmentation.report.plots import scores as plots
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.scores import ORDERED_SCORES

MOST_ROWS = 2000
"""Photos in the page's table, the worst; ``photo_scores.csv`` has them all."""


def photos_section(contents: ReportContents) -> Section:
    """Which photos."""
    scores = contents.photo_scores
    if scores.empty:
        return Section("Photos", [])
    panels, shown = [], []
    for photo_id, caption, rgb in contents.error_panels:
        panels.append(picture(rgb, caption, f"Error panel of photo {photo_id}", name=photo_id))
        shown.append(photo_id)
    rows = scores.head(MOST_ROWS)
    body = [
        beside(
            figure(plots.dice_histogram(scores)),
            figure(
                plots.false_positives_and_negatives(rows),
                "Below the dotted line, false negatives prevail. Click on a point to see the "
                "photo's error panel, or its row.",
            ),
        )
    ]
    of_all = "" if len(rows) == len(scores) else f" The worst {len(rows):,} of {len(scores):,}."
    linked = " An underlined photo leads to its error panel." if shown else ""
    headings, formats = _score_headings(scores, contents.subject)
    body.append(
        table(
            rows[list(headings)].rename(columns=headings),
            formats,
            f"All photos, the worst first; click on a heading to sort.{linked}{of_all}",
            searchable=True,
            links=shown,
        )
    )
    sheets = [
        (contents.worst_sheet, "The worst photos. False positives red, false negatives blue."),
        (contents.random_sheet, "Photos drawn at random, for comparison with the worst."),
        (
            contents.data_sheet,
            "The data as it was read: outlines of masks on photos of all splits. What is ignored "
            "is grey, here and in all pictures of the page.",
        ),
    ]
    body += [picture(sheet, caption, caption) for sheet, caption in sheets if sheet is not None]
    body.append(beside(*panels))
    return Section("Photos", body, _photos_lead(scores, len(shown)))


def _photos_lead(scores: pd.DataFrame, panels: int) -> str:
    dice = scores["dice"]
    lead = (
        f"Half of the photos reach a Dice of {dice.median():.4f}, nine in ten "
        f"{dice.quantile(0.1):.4f}; the worst has {dice.min():.4f}."
    )
    if panels:
        lead += f" Below the table: the {panels} worst, with their worst places enlarged."
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
