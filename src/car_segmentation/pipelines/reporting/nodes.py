"""Nodes of the reporting pipeline."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import IGNORED, read_truth
from car_segmentation.data.splits import check_same_photos, rows_of_split
from car_segmentation.evaluation.car_colour import colour_of_cars
from car_segmentation.evaluation.error_analysis import Analysis, analyse_photos, error_class_table
from car_segmentation.evaluation.label_errors import (
    LEAST_DICE,
    can_judge_masks,
    doubted_box,
    mask_from_other_side,
    rank_label_errors,
)
from car_segmentation.evaluation.slices import all_slices, describe
from car_segmentation.evaluation.summary import summarise, summary_table
from car_segmentation.evaluation.upper_bound import upper_bound
from car_segmentation.parameters import PredictionOptions, Reporting, Subject
from car_segmentation.pipelines.slow_types import Figure, Model
from car_segmentation.prediction.probability_maps import predicted_mask, write_probability_maps
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.submission import predicted_masks
from car_segmentation.report.contact_sheets import drawn_at_random, photo_sheet
from car_segmentation.report.error_maps import error_map, error_thumbnail, legend
from car_segmentation.report.error_panels import error_panel
from car_segmentation.report.label_error_pictures import doubted_place, outline_key
from car_segmentation.report.text_drawing import caption_strip

logger = logging.getLogger(__name__)

SHEET_COLUMNS, SHEET_CELL_WIDTH = 3, 480  # Columns; pixels.

LABEL_ERROR_COLUMNS = ["photo_id", "split", "score", "suspicion", "reason"]  # On the page.

Pictures = dict[str, Callable[[], np.ndarray]]


def predict_photos(
    model: Model,
    photos: ImageStack,
    photo_splits: pd.DataFrame,
    reporting: dict[str, Any],
    prediction: dict[str, Any],
    probabilities_folder: Path,
) -> ImageStack:
    """Predict the probability map of every photo that is reported on."""
    check_same_photos(photo_splits, photos.usable_ids)
    others = ["train"] if Reporting(**reporting).include_train else []
    reported = rows_of_split(photo_splits, "test", "validation", *others)
    segmenter = Segmenter.from_options(model, PredictionOptions(**prediction))
    return write_probability_maps(probabilities_folder, segmenter, photos, reported)


def analyse_test_photos(
    probabilities: ImageStack, photo_splits: pd.DataFrame, threshold: dict[str, float]
) -> Analysis:
    """Score every test photo at its native size, and find where and why it is wrong."""
    test = rows_of_split(photo_splits, "test")
    return analyse_photos(probabilities, test, threshold["threshold"], "test photos")


def analyse_other_photos(
    probabilities: ImageStack, photo_splits: pd.DataFrame, threshold: dict[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Do the same for the other photos that were predicted: those of validation at least."""
    predicted = photo_splits["photo_id"].isin(probabilities.ids)
    others = photo_splits[predicted & (photo_splits["split"] != "test")]
    analysis = analyse_photos(probabilities, others, threshold["threshold"], "other photos")
    split = others[["photo_id", "split"]]
    return analysis.photo_scores.merge(split, on="photo_id"), analysis.mask_evidence


def summarise_scores(photo_scores: pd.DataFrame, seed: int) -> dict[str, float]:
    """Put the scores of all test photos into a few numbers."""
    return summarise(photo_scores, seed)


def tabulate_scores(
    photo_scores: pd.DataFrame, other_scores: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Summarise every score of test and validation with its confidence interval."""
    validation = rows_of_split(other_scores, "validation")
    return pd.concat(
        [
            summary_table(scores, seed).assign(split=split)
            for split, scores in (("test", photo_scores), ("validation", validation))
            if len(scores)
        ],
        ignore_index=True,
    )


def measure_upper_bound(soft_masks: ImageStack, photo_splits: pd.DataFrame) -> dict[str, float]:
    """Score a perfect predictor of the input size: what no network could pass."""
    return upper_bound(soft_masks, rows_of_split(photo_splits, "test"))


def slice_scores(
    photo_scores: pd.DataFrame, photo_splits: pd.DataFrame, car_colours: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Score kinds of photos apart: by view, make, year, size and colour of the car."""
    colours = colour_of_cars(car_colours)
    return all_slices(describe(photo_scores, photo_splits, colours), seed)


def tabulate_error_classes(error_regions: pd.DataFrame, photo_scores: pd.DataFrame) -> pd.DataFrame:
    """Add up what each kind of error costs."""
    return error_class_table(error_regions, photos=len(photo_scores))


def find_label_errors(
    mask_evidence: pd.DataFrame,
    other_mask_evidence: pd.DataFrame,
    photo_splits: pd.DataFrame,
    photo_scores: pd.DataFrame,
) -> pd.DataFrame:
    """Rank the photos whose mask, and not the model, may be wrong."""
    evidence = pd.concat([mask_evidence, other_mask_evidence], ignore_index=True)
    identity = photo_splits[["photo_id", "car", "view", "split"]]
    ranked = rank_label_errors(evidence.merge(identity[["photo_id", "car", "view"]], on="photo_id"))
    ranked = ranked.merge(identity[["photo_id", "split"]], on="photo_id")
    if can_judge_masks(photo_scores["dice"]):
        return ranked
    logger.warning(
        "The model is too weak to judge masks (median Dice %.2f, and at least %.2f is needed): no "
        "label errors are listed.",
        *(photo_scores["dice"].median(), LEAST_DICE),
    )
    return ranked.head(0)


def track_scores(
    score_summary: dict[str, float], threshold: dict[str, float], upper_bound: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Hand the final numbers to MLflow."""
    metrics = {
        f"test.{name}": value
        for name, value in score_summary.items()
        if name not in {"photos", "cars"}  # The data set says these.
    }
    metrics |= {
        "validation.dice_mean": threshold["validation_dice"],
        "threshold": threshold["threshold"],
        "upper_bound.dice_mean": upper_bound["dice_mean"],
    }
    return {name: {"value": value, "step": 0} for name, value in metrics.items()}


def record_predicted_masks(
    probabilities: ImageStack, photo_splits: pd.DataFrame, threshold: dict[str, float]
) -> pd.DataFrame:
    """Keep the predicted masks of the test photos, by which runs are compared later."""
    test = rows_of_split(photo_splits, "test")
    return predicted_masks(probabilities, test, threshold["threshold"])


def plot_dice_histogram(photo_scores: pd.DataFrame) -> Figure:
    """Show how Dice is spread over the test photos."""
    from car_segmentation.report.plots.scores import dice_histogram

    return dice_histogram(photo_scores)


def plot_learning_curves(history: dict[str, list[float]]) -> Figure:
    """Show loss and Dice of every epoch, in training and validation."""
    from car_segmentation.report.plots.training import learning_curves

    return learning_curves(history)


def draw_error_maps(
    photo_scores: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
) -> Pictures:
    """Draw the worst photos in the post's colours: red FP, green TP, blue FN."""

    def draw(row: Any) -> np.ndarray:
        photo, truth, predicted = _read_result(row, probabilities, threshold)
        return np.concatenate([error_map(photo, predicted, truth), legend(photo.shape[1])])

    return _of_the_worst(draw, photo_scores, photo_splits, reporting)


def draw_error_panels(
    photo_scores: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
) -> Pictures:
    """Draw the worst photos with truth, prediction, errors, and their worst places enlarged."""

    def draw(row: Any) -> np.ndarray:
        result = _read_result(row, probabilities, threshold)
        return error_panel(*result, f"{row.photo_id}   {_scores_of(row)}")

    return _of_the_worst(draw, photo_scores, photo_splits, reporting)


def draw_sheets(
    photo_scores: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the errors of the worst photos, and of some drawn at random, on a sheet each."""
    settings = Reporting(**reporting)

    def sheet(chosen: pd.DataFrame) -> np.ndarray:
        rows = [row for _, row in _ranked(chosen, photo_splits)]
        results = (_read_result(row, probabilities, threshold) for row in rows)
        pictures = (
            error_thumbnail(photo, predicted, truth, SHEET_CELL_WIDTH)
            for photo, truth, predicted in results
        )
        captions = [f"{row.photo_id}   {_scores_of(row)}" for row in rows]
        return photo_sheet(pictures, captions, SHEET_COLUMNS, SHEET_CELL_WIDTH)

    return (
        sheet(photo_scores.head(settings.worst_photos)),
        sheet(drawn_at_random(photo_scores, settings.random_photos, seed)),
    )


def draw_label_errors(
    label_errors: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
) -> np.ndarray:
    """Lay out the suspected label errors on a sheet, each enlarged at the suspicious place."""
    if label_errors.empty:
        return caption_strip("No label errors are suspected.", SHEET_CELL_WIDTH)
    most_suspect = label_errors.head(Reporting(**reporting).label_errors)
    rows = [row for _, row in _ranked(most_suspect, photo_splits)]

    def draw(row: Any) -> np.ndarray:
        photo, truth, predicted = _read_result(row, probabilities, threshold)
        position = probabilities.rows_of([row.photo_id])[0]
        probability = to_native_size(probabilities.image(position), *truth.shape)
        probability = read_truth(Path(row.mask_path)).zero_where_ignored(probability)
        opposite = mask_from_other_side(row, photo_splits)
        box = doubted_box(truth, probability, row.suspicion, opposite)
        return doubted_place(photo, truth, predicted, box, SHEET_CELL_WIDTH)

    captions = [f"{row.photo_id}   {row.reason}" for row in rows]
    sheet = photo_sheet(map(draw, rows), captions, SHEET_COLUMNS, SHEET_CELL_WIDTH)
    return np.concatenate([sheet, outline_key(sheet.shape[1])])


def write_report(
    photo_scores: pd.DataFrame,
    photo_splits: pd.DataFrame,
    score_table: pd.DataFrame,
    upper_bound: dict[str, float],
    error_distances: pd.DataFrame,
    error_classes: pd.DataFrame,
    slices: pd.DataFrame,
    error_panels: Mapping[str, Path],
    worst_sheet: np.ndarray,
    random_sheet: np.ndarray,
    threshold: dict[str, float],
    threshold_dice: list[float],
    calibration: pd.DataFrame,
    calibration_errors: dict[str, float],
    label_errors: pd.DataFrame,
    label_error_sheet: np.ndarray,
    data_sheet: np.ndarray | None,
    history: dict[str, list[float]],
    provenance: dict[str, str],
    network: dict[str, Any],
    image: dict[str, Any],
    subject: dict[str, str],
) -> str:
    """Put everything on one page that opens from disk."""
    from car_segmentation.report.evaluation_report import report_page  # And Plotly: 0.3 s.
    from car_segmentation.report.sections.contents import ReportContents

    words = Subject(**subject)
    worst = photo_scores.head(len(error_panels))
    summary = dict(iter(score_table.groupby("split")))
    makes = photo_splits.loc[photo_splits["make"].fillna("") != "", ["photo_id", "make"]]
    scores = photo_scores.merge(makes, on="photo_id", how="left") if len(makes) else photo_scores
    return report_page(
        ReportContents(
            title="Where the model errs, and by how much",
            subject=words,
            facts={
                "Network": str(network["architecture"]),
                "Input size": f"{image['width']}×{image['height']} pixels",
                "Train split": _count(photo_splits, "train", words),
                "Validation split": _count(photo_splits, "validation", words),
                "Test split": _count(photo_splits, "test", words),
                "Threshold": f"{threshold['threshold']:.3f}",
            },
            photo_scores=scores,
            test_summary=summary["test"],
            validation_summary=summary.get("validation"),
            upper_bound={
                "dice": upper_bound["dice_mean"],
                "edge_error_px": upper_bound["edge_error_px"],
            },
            error_distances=error_distances,
            error_classes=error_classes,
            slices={
                str(name).replace("_", " "): rows
                for name, rows in slices.groupby("slice", sort=False)
            },
            error_panels=(
                (str(row.photo_id), f"{row.photo_id}: {_scores_of(row)}", read_photo(path))
                for row, path in zip(worst.itertuples(), error_panels.values(), strict=True)
            ),
            worst_sheet=worst_sheet,
            random_sheet=random_sheet,
            threshold=threshold["threshold"],
            threshold_dice=np.asarray(threshold_dice),
            calibration=calibration,
            calibration_errors=calibration_errors,
            label_errors=label_errors[LABEL_ERROR_COLUMNS],
            label_error_sheet=label_error_sheet,
            data_sheet=data_sheet,
            history=history,
            provenance=provenance,
        )
    )


def _count(photo_splits: pd.DataFrame, split: str, subject: Subject) -> str:
    rows = rows_of_split(photo_splits, split)
    return f"{len(rows)} photos of {subject.count(rows['car'].nunique())}"


def _of_the_worst(
    draw: Callable[[Any], np.ndarray],
    photo_scores: pd.DataFrame,
    photo_splits: pd.DataFrame,
    reporting: dict[str, Any],
) -> Pictures:
    """A picture of each of the worst photos, drawn when it is asked for."""
    worst = photo_scores.head(Reporting(**reporting).worst_photos)
    return {name: partial(draw, row) for name, row in _ranked(worst, photo_splits)}


def _ranked(chosen: pd.DataFrame, photo_splits: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    """A picture's name and the row of each photo: its scores and its files."""
    files = photo_splits[["photo_id", "photo_path", "mask_path", "height", "width"]]
    rows = chosen.merge(files, on="photo_id").itertuples()
    return ((f"{rank:02d}_{row.photo_id}", row) for rank, row in enumerate(rows, start=1))


def _scores_of(row: Any) -> str:
    return f"Dice {row.dice:.4f}   edge error {row.edge_error_px:.1f} px"


def _read_result(
    row: Any, probabilities: ImageStack, threshold: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo, true mask and predicted mask at native size; what is ignored is grey and no mask."""
    truth = read_truth(Path(row.mask_path))
    position = probabilities.rows_of([row.photo_id])[0]
    size = truth.foreground.shape
    predicted = predicted_mask(probabilities.image(position), size, threshold["threshold"])
    photo = read_photo(Path(row.photo_path), size)
    if truth.ignored is not None:
        predicted = predicted & ~truth.ignored
        photo = np.where(truth.ignored[..., np.newaxis], IGNORED, photo).astype(np.uint8)
    return photo, truth.foreground, predicted
