"""Masks that may be wrong."""

import pandas as pd

from car_segmentation.evaluation.label_errors import LEAST_DICE, can_judge_masks
from car_segmentation.report.html import Section, paragraph, picture, table
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import plural

MOST_LISTED = 40
"""Masks in the table: the most suspect."""
TITLE = "Suspected label errors"


def label_errors_section(contents: ReportContents) -> Section:
    """Masks that deserve a second look."""
    errors = contents.label_errors
    if errors is None:
        return Section(TITLE, [])
    dice = contents.photo_scores["dice"]
    if not can_judge_masks(dice):
        text = (
            f"The model is too weak to judge masks: half of the photos have a Dice below "
            f"{dice.median():.2f}, and below {LEAST_DICE} its own errors cannot be told from "
            "errors of masks. No mask is listed."
        )
        return Section(TITLE, [paragraph(text)])
    if errors.empty:
        return Section(TITLE, [paragraph("No mask is suspected.")])
    errors = errors.head(MOST_LISTED)
    first = errors.iloc[0]
    lead = (
        f"The {plural(len(errors), 'true mask')} that most deserve a second look, since the "
        "model, the mirror view or the mask itself speaks against them. The first: "
        f"{first['photo_id']}: {first['reason']}"
    )
    headings = {name: str(name).replace("_", " ").capitalize() for name in errors.columns}
    headings["photo_id"] = "Photo"
    formats = {
        headings[name]: ".4g"
        for name in errors.columns
        if pd.api.types.is_float_dtype(errors[name])
    }
    body = [
        table(
            errors.rename(columns=headings),
            formats,
            "The most suspect first. A mask in this list may be right: check before correcting it.",
            searchable=True,
        )
    ]
    if contents.label_error_sheet is not None:
        caption = "The most suspect masks, each enlarged at the suspicious place."
        body.append(picture(contents.label_error_sheet, caption, caption))
    return Section(TITLE, body, lead.rstrip(".") + ".")
