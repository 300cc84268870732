"""The report: one page that says how good a model is, where it errs, and how far to trust it.

Every section begins with a sentence that is computed from its data. A part that is not there (no
metadata, one car, nothing suspected) is left out, or its absence is said where it would be missed.
"""

from car_segmentation.report.html import render_page
from car_segmentation.report.sections.confidence import confidence_section
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.errors import errors_section
from car_segmentation.report.sections.label_errors import label_errors_section
from car_segmentation.report.sections.photos import photos_section
from car_segmentation.report.sections.scores import scores_section
from car_segmentation.report.sections.slices import slices_section
from car_segmentation.report.sections.training import training_section
from car_segmentation.report.sections.wording import plural

SECTIONS = (
    scores_section,
    errors_section,
    slices_section,
    photos_section,
    confidence_section,
    label_errors_section,
    training_section,
)
"""In the order of the page."""


def report_page(contents: ReportContents) -> str:
    """The page, as HTML in one piece."""
    sections = [section(contents) for section in SECTIONS]
    scores = contents.photo_scores
    lead = (
        f"{plural(int(scores['photo_id'].nunique()), 'photo')} of "
        f"{contents.subject.count(scores['car'].nunique())} that the model has never seen, each "
        "scored at its native size."
    )
    known = {name: text for name, text in contents.provenance.items() if text}
    return render_page(
        contents.title,
        lead,
        [section for section in sections if section.body],
        {name.replace("_", " ").capitalize(): text for name, text in known.items()},
    )
