"""Everything that the report knows about predictions, gathered in one pass over the photos."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.evaluation.calibration import (
    NEAR_EDGE_PX,
    calibration_counts,
    expected_calibration_error,
    reliability_table,
)
from car_segmentation.evaluation.car_colour import CarColour, measure_colour
from car_segmentation.evaluation.error_regions import DISTANCE_BINS, error_distances, error_regions
from car_segmentation.evaluation.label_errors import label_evidence
from car_segmentation.evaluation.mask_geometry import distance_to, edge_pixels
from car_segmentation.evaluation.photo_scores import (
    PhotoResult,
    measure_photos,
    score_photo,
    worst_first,
)

CALIBRATED = ("all pixels", f"within {NEAR_EDGE_PX} px of the edge")
"""Where probabilities are compared with the truth."""
REGION_COLUMNS = [
    *("photo_id", "error_class", "kind", "area", "top", "left", "bottom", "right"),
    *("depth_px", "contrast", "dice_cost"),
]
CLASS_COLUMNS = ["class", "kind", "regions", "pixels", "dice_cost"]


@dataclass(frozen=True)
class PhotoAnalysis:
    """The results of one photo: a few kilobytes.

    Attributes:
        score: Its row of the table of scores.
        distances: Wrong pixels by distance from the true edge; int64 (bins, 2): false positives
            and false negatives.
        regions: A row for each wrong region.
        calibration: Pixels by probability; float64 (2, 256, 3): see `CALIBRATED` and
            `calibration.calibration_counts`.
        evidence: What may be wrong with its mask.
        car_colour: The colour of its car; only its identity where none is seen.
    """

    score: dict[str, Any]
    distances: np.ndarray
    regions: list[dict[str, Any]]
    calibration: np.ndarray
    evidence: dict[str, Any]
    car_colour: dict[str, Any]


def analyse_photo(result: PhotoResult) -> PhotoAnalysis:
    """Score a photo, and find where and why its prediction is wrong."""
    truth, predicted, photo_id = result.truth, result.predicted, result.row.photo_id
    edge_distance = distance_to(edge_pixels(truth))
    colour = measure_colour(result.photo, truth)
    distances = error_distances(predicted, truth, edge_distance)
    regions = error_regions(result.photo, predicted, truth, edge_distance)
    known = np.ones_like(truth) if result.ignored is None else ~result.ignored
    near = known & (edge_distance <= NEAR_EDGE_PX)
    return PhotoAnalysis(
        score=score_photo(result),
        distances=np.stack([distances["false_positives"], distances["false_negatives"]], axis=1),
        regions=[{"photo_id": photo_id} | region.as_dict() for region in regions],
        calibration=np.stack(
            [calibration_counts(result.probability[where], truth[where]) for where in (known, near)]
        ),
        evidence={"photo_id": photo_id}
        | label_evidence(truth, result.probability, result.threshold, result.ignored),
        car_colour={"photo_id": photo_id, "car": result.row.car}
        | (asdict(colour) if colour else {}),
    )


class Analysis(NamedTuple):
    """Metadata of the photos of a split.

    Attributes:
        photo_scores: A row per photo, the worst first: `photo_scores.score_photos`.
        error_distances: ``from_px``, ``to_px``, ``false_positives`` and ``false_negatives``: pixels
            of all photos, in bands of distance from the true edge, in native pixels.
        error_regions: A row per wrong region; see `error_regions.ErrorRegion`.
        calibration: ``where``, ``probability``, ``car_fraction`` and ``pixels`` of each bin.
        calibration_errors: Expected calibration error by ``where``.
        mask_evidence: A row per photo: what may be wrong with its mask.
        car_colours: ``photo_id``, ``car`` and the fields of `CarColour`, a row per photo.
    """

    photo_scores: pd.DataFrame
    error_distances: pd.DataFrame
    error_regions: pd.DataFrame
    calibration: pd.DataFrame
    calibration_errors: dict[str, float]
    mask_evidence: pd.DataFrame
    car_colours: pd.DataFrame


def analyse_photos(
    probabilities: ImageStack, photo_table: pd.DataFrame, threshold: float, description: str
) -> Analysis:
    """Go over photos once and gather all that is known of them.

    Args:
        probabilities: Probability maps of at least these photos.
        photo_table: A row per photo, with ``photo_id``, ``car``, ``view``, ``photo_path`` and
            ``mask_path``.
        threshold: Probability from which a pixel is car.
        description: What the progress bar says.
    """
    photos = list(measure_photos(analyse_photo, probabilities, photo_table, threshold, description))
    distances = np.sum([photo.distances for photo in photos], axis=0)
    calibration = np.sum([photo.calibration for photo in photos], axis=0)
    counts = dict(zip(CALIBRATED, calibration, strict=True))
    return Analysis(
        photo_scores=worst_first([photo.score for photo in photos]),
        error_distances=pd.DataFrame(
            {
                "from_px": DISTANCE_BINS[:-1],
                "to_px": DISTANCE_BINS[1:],
                "false_positives": distances[:, 0],
                "false_negatives": distances[:, 1],
            }
        ),
        error_regions=_region_table([region for photo in photos for region in photo.regions]),
        calibration=pd.concat(
            [reliability_table(count).assign(where=where) for where, count in counts.items()],
            ignore_index=True,
        ),
        calibration_errors={
            where: expected_calibration_error(count) for where, count in counts.items()
        },
        mask_evidence=pd.DataFrame([photo.evidence for photo in photos]),
        car_colours=pd.DataFrame(
            [photo.car_colour for photo in photos],
            columns=["photo_id", "car", *(field.name for field in fields(CarColour))],
        ),
    )


def error_class_table(error_regions: pd.DataFrame, photos: int) -> pd.DataFrame:
    """Missing Dice by class of wrong region.

    Args:
        error_regions: As in `Analysis`.
        photos: How many were looked at, those without errors included.

    Returns:
        ``class``, ``kind``, ``regions``, ``pixels``, and ``dice_cost``, the mean over photos: the
        costs of all classes add up to 1 − mean Dice. The costliest class first.
    """
    if error_regions.empty:
        return pd.DataFrame(columns=CLASS_COLUMNS)
    groups = error_regions.groupby(["error_class", "kind"], as_index=False)
    table = groups.agg(
        regions=("area", "size"), pixels=("area", "sum"), dice_cost=("dice_cost", "sum")
    ).rename(columns={"error_class": "class"})
    table["dice_cost"] /= photos
    costliest = table.groupby("class")["dice_cost"].transform("sum")
    order = table.assign(of_class=costliest).sort_values(
        ["of_class", "class", "dice_cost"], ascending=[False, True, False]
    )
    return order[CLASS_COLUMNS].reset_index(drop=True)


def _region_table(regions: Sequence[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(regions, columns=[*REGION_COLUMNS, "false_positive"])
    is_positive = table["false_positive"].astype(bool)
    table["kind"] = np.where(is_positive, "false positive", "false negative")
    return table[REGION_COLUMNS].sort_values(["area", "photo_id"], ascending=[False, True])
