"""Where the model is wrong."""

import pandas as pd

from car_segmentation.report.html import ROWS_MIN_WIDTH, Section, beside, figure, folded, table
from car_segmentation.report.plots import errors as plots
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import listed, wrong

NEAR_EDGE_PX = 2
"""The lead says how many of the wrong pixels lie this near to the true edge, in native pixels."""
FAR_FROM_EDGE_PX = 16
"""And how many farther than this."""
_CLASS_FORMATS = {
    "Regions": ",",
    "Pixels": ",",
    "Dice lost, mean over photos": ".5f",
    "of all lost": ".1%",
}


def errors_section(contents: ReportContents) -> Section:
    """Where it errs."""
    body, leads = [], []
    distances = contents.error_distances
    if distances is not None and wrong(distances).sum() > 0:
        leads.append(_distance_lead(distances))
        body.append(
            figure(
                plots.error_distances(distances),
                "Bars: fraction of all wrong pixels in each band, false positives red and false "
                "negatives blue. Line: fraction up to the end of the band.",
            )
        )
    classes = contents.error_classes
    if classes is not None and len(classes):
        leads.append(_class_lead(classes))
        body.append(
            figure(
                plots.error_classes(classes),
                "What mean Dice would gain without the errors of a class. The regions were "
                "classified by rules, not by a person.",
                min_width=ROWS_MIN_WIDTH,
            )
        )
    body = [beside(*body)] if len(body) > 1 else body
    if classes is not None and len(classes):
        body.append(folded("Classes as a table", table(_class_table(classes), _CLASS_FORMATS)))
    return Section("Where it errs", body, " ".join(leads))


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
    pixels = wrong(distances)
    near = pixels[distances["to_px"] <= NEAR_EDGE_PX].sum() / pixels.sum()
    far = pixels[distances["from_px"] >= FAR_FROM_EDGE_PX].sum() / pixels.sum()
    return (
        f"{near:.0%} of the wrong pixels lie within {NEAR_EDGE_PX} px of the true edge, {far:.0%} "
        f"farther than {FAR_FROM_EDGE_PX} px from it."
    )


def _class_lead(classes: pd.DataFrame) -> str:
    cost = classes.groupby("class")["dice_cost"].sum().sort_values(ascending=False)
    if not cost.sum():
        return ""
    fraction = cost / cost.sum()
    costliest = [f"{name} ({fraction[name]:.0%})" for name in cost.index[:3] if cost[name] > 0]
    return f"What costs most Dice: {listed(costliest)}."
