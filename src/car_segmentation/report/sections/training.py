"""The report's section on the training."""

import numpy as np

from car_segmentation.report.html import Section, figure
from car_segmentation.report.plots import training as plots
from car_segmentation.report.sections.contents import ReportContents
from car_segmentation.report.sections.wording import plural


def training_section(contents: ReportContents) -> Section:
    """Write the section on the training."""
    history = contents.history
    if not history or not history.get("loss"):
        return Section("Training", [])
    epochs = len(history["loss"])
    lead = f"{plural(epochs, 'epoch')}."
    if history.get("val_loss"):
        best = int(np.argmin(history["val_loss"])) + 1
        lead = f"Of {plural(epochs, 'epoch')}, number {best} had the lowest validation loss."
        if best == epochs and epochs > 1:
            lead += " It was the last one: the training had not begun to overfit."
    return Section("Training", [figure(plots.learning_curves(history))], lead)
