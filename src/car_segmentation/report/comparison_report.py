"""The page that compares two runs."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from car_segmentation.evaluation.bootstrap import Difference
from car_segmentation.evaluation.run_comparison import (
    RunRecord,
    changed_parameters,
    metrics_side_by_side,
    only_in_one,
    scored_by_other_masks,
)
from car_segmentation.parameters import CARS, Subject
from car_segmentation.report.html import (
    Block,
    Section,
    facts,
    figure,
    folded,
    numbers,
    paragraph,
    picture,
    render_page,
    table,
)
from car_segmentation.report.plots import comparison as plots

CHANGE_FORMATS = {
    "Dice before": ".4f",
    "Dice after": ".4f",
    "change": "+.4f",
    "edge error before, px": ".1f",
    "edge error after, px": ".1f",
}
LISTED_PHOTOS = 20
"""Most photos, scored by one run only, that are named on the page."""

Picture = tuple[str, np.ndarray]
"""Photo id and picture, uint8 RGB, which says what it shows."""


def comparison_page(
    before: RunRecord,
    after: RunRecord,
    changes: pd.DataFrame,
    difference: Difference,
    worse: Iterable[Picture],
    better: Iterable[Picture],
    subject: Subject = CARS,
) -> str:
    """Put the page together, as HTML.

    Args:
        before: The first run.
        after: The second run.
        changes: As of `run_comparison.compare_scores`.
        difference: Of Dice, over the same photos.
        worse: Pictures of the photos that lost most.
        better: Pictures of the photos that gained most.
        subject: What cars are called.
    """
    same = difference.photos - difference.better - difference.worse
    lost, gained = _pictures(worse), _pictures(better)
    tiles = [
        ("mean change of Dice", f"{difference.mean:+.4f}", interval_text(difference, subject)),
        (
            "photos that got better",
            f"{difference.better:,} of {difference.photos:,}",
            f"{difference.worse:,} worse, {same:,} the same",
        ),
        (
            "mean Dice",
            f"{changes['dice_after'].mean():.4f}",
            f"before: {changes['dice_before'].mean():.4f}",
        ),
        (
            "edge error",
            f"{changes['edge_error_after'].mean():.2f} px",
            f"before: {changes['edge_error_before'].mean():.2f} px",
        ),
    ]
    runs = {
        "before": f"{before.name}, started {before.started}, id {before.run_id}",
        "after": f"{after.name}, started {after.started}, id {after.run_id}",
    }
    sections = [
        Section(
            "Result",
            [
                numbers(tiles),
                facts(runs),
                paragraph(
                    f"The interval is over {subject.many}: it says whether the second model would "
                    f"be better on other {subject.many} too, and not whether training it again "
                    "would give the same.",
                    quiet=True,
                ),
                *_left_out(before, after),
            ],
            verdict(difference, subject),
        ),
        _changes_section(before, after),
        Section(
            "Which photos changed",
            [
                figure(
                    plots.dice_changes(changes),
                    "One point per photo; a click leads to its picture or its row.",
                ),
                figure(
                    plots.changes_of_cars(changes, subject),
                    f"Mean over each {subject.one}'s photos, sorted.",
                ),
                table(
                    changes.set_axis(
                        ["photo", subject.one, "view", *CHANGE_FORMATS], axis="columns"
                    ),
                    CHANGE_FORMATS,
                    "All photos that both runs scored, the one that lost most first.",
                    searchable=True,
                    links=[name for name, _ in lost + gained],
                ),
            ],
            "Dice at native size, one per photo.",
        ),
    ]
    for title, pictures in (("What got worse", lost), ("What got better", gained)):
        if pictures:
            lead = "The largest changes, and where the two masks differ most."
            sections.append(Section(title, [block for _, block in pictures], lead))
    names = (before.name, after.name)
    if names[0] == names[1]:
        names = (before.label, after.label)
    return render_page(" → ".join(names), "Two runs on the same test photos.", sections)


def verdict(difference: Difference, subject: Subject = CARS) -> str:
    """One sentence that says whether the second run is better, and how certain that is."""
    photos = f"{difference.photos:,} photos of {subject.count(difference.cars)}"
    interval = difference.interval
    if interval is None:
        return (
            f"Dice changed by {difference.mean:+.4f} on {photos}; "
            f"one {subject.one} says nothing about others."
        )
    text = f"{difference.mean:+.4f} ({interval_text(difference)}) on {photos}"
    if interval.low > 0:
        return f"The second run is better: Dice changed by {text}."
    if interval.high < 0:
        return f"The second run is worse: Dice changed by {text}."
    return f"The difference is not significant at 5%: Dice changed by {text}."


def interval_text(difference: Difference, subject: Subject = CARS) -> str:
    """The interval for a note below a number."""
    interval = difference.interval
    if interval is None:
        return f"one {subject.one}: no interval"
    return f"95%: {interval.low:+.4f} to {interval.high:+.4f}"


def _pictures(pictures: Iterable[Picture]) -> list[tuple[str, Block]]:
    return [
        (photo_id, picture(rgb, alt=f"Error maps of {photo_id}, before and after", name=photo_id))
        for photo_id, rgb in pictures
    ]


def _changes_section(before: RunRecord, after: RunRecord) -> Section:
    parameters = changed_parameters(before, after)
    metrics = metrics_side_by_side(before, after)
    formats = {"before": ".4f", "after": ".4f", "change": "+.4f"}
    body = [folded("All metrics side by side", table(metrics, formats))]
    lead = "No parameter differs: what changed is the code, the photos or chance."
    if count := len(parameters):
        body.insert(0, table(parameters, caption="Parameters that differ."))
        lead = f"{count} {'parameter differs' if count == 1 else 'parameters differ'}."
    return Section("What was changed", body, lead)


def _left_out(before: RunRecord, after: RunRecord) -> Sequence[Block]:
    """Photos that only one run scored, or that the two scored by different masks, named."""
    blocks = []
    reasons = ("scored by the first run alone", "scored by the second run alone")
    left_out = [*zip(only_in_one(before, after), reasons, strict=True)]
    left_out.append((scored_by_other_masks(before, after), "their masks were corrected since"))
    for photos, reason in left_out:
        if photos:
            more = len(photos) - LISTED_PHOTOS
            names = ", ".join(photos[:LISTED_PHOTOS]) + (f" and {more:,} more" if more > 0 else "")
            text = f"Left out, {reason} ({len(photos):,}): {names}."
            blocks.append(paragraph(text, quiet=True))
    return blocks
