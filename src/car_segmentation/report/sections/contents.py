"""Contents of the report, before it is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from car_segmentation.parameters import CARS, Subject


@dataclass(frozen=True)
class ReportContents:
    """Contents of the report. Everything with a default may be missing.

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
        upper_bound: What a perfect predictor would score at the network's input size:
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
        error_panels: Photo id, caption and picture (uint8 RGB) of the worst photos, the worst
            first. Taken one after the other.
        worst_sheet: Contact sheet of the worst photos, uint8 RGB.
        random_sheet: Contact sheet of photos drawn at random, uint8 RGB.
        threshold: Probability from which a pixel is car.
        threshold_dice: Mean Dice of the validation photos at the thresholds k/len.
        calibration: ``where`` (which pixels; those that matter most come last), ``probability``
            (mean of the bin), ``car_fraction`` and ``pixels`` of each bin.
        calibration_errors: Expected calibration error, 0 to 1, by the names in ``where``.
        label_errors: Photos whose mask deserves a second look, the most suspect first:
            ``photo_id``, ``reason`` and any more columns.
        label_error_sheet: Contact sheet of the first of them, uint8 RGB.
        data_sheet: Outlines of masks, as they were read, on photos of all splits; uint8 RGB.
        history: Numbers of every epoch: ``loss``, ``dice``, ``val_loss``, ``val_dice``.
        provenance: When, where and from what the report was made, in words: ``date``,
            ``environment``, ``data_set``, ``run``, ``commit`` and ``command``; what is not known is
            empty.
    """

    title: str
    facts: Mapping[str, str]
    photo_scores: pd.DataFrame
    test_summary: pd.DataFrame
    validation_summary: pd.DataFrame | None = None
    upper_bound: Mapping[str, float] | None = None
    error_distances: pd.DataFrame | None = None
    error_classes: pd.DataFrame | None = None
    slices: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    error_panels: Iterable[tuple[str, str, np.ndarray]] = ()
    worst_sheet: np.ndarray | None = None
    random_sheet: np.ndarray | None = None
    threshold: float | None = None
    threshold_dice: np.ndarray | None = None
    calibration: pd.DataFrame | None = None
    calibration_errors: Mapping[str, float] = field(default_factory=dict)
    label_errors: pd.DataFrame | None = None
    label_error_sheet: np.ndarray | None = None
    data_sheet: np.ndarray | None = None
    subject: Subject = CARS
    history: Mapping[str, Sequence[float]] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
