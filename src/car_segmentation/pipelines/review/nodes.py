"""Nodes of the review pipeline."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore, local_folder
from car_segmentation.core.places import folder_of
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import read_mask
from car_segmentation.data.splits import rows_of_split
from car_segmentation.evaluation.review_photos import (
    mirror_errors,
    signals_of_folder,
    signals_of_stack,
)
from car_segmentation.evaluation.review_queue import (
    ReviewModel,
    fit_review_model,
    rank_photos,
    usable_signals,
)
from car_segmentation.parameters import Pairing, PredictionOptions, Review
from car_segmentation.pipelines.slow_types import Model
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.prediction.prediction_origin import check_origin
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.segmenter import Segmenter

logger = logging.getLogger(__name__)


def measure_new_photos(
    predictions: pd.DataFrame,
    predictions_folder: Path | ObjectStore,
    model: Model,
    threshold: dict[str, float],
    prediction: dict[str, Any],
    pairing: dict[str, Any],
    review: dict[str, Any],
    photos: str,
) -> pd.DataFrame:
    """Measure how much speaks against each predicted mask, if they are this model's."""
    folder = local_folder(predictions_folder)
    if predictions.empty:
        raise UserError(f"There are no predictions in {predictions_folder} to review.")
    options = PredictionOptions(**prediction)
    check_origin(folder, model, options, threshold["threshold"])
    signals = signals_of_folder(folder, predictions, Pairing(**pairing).name_pattern)
    if not Review(**review).mirrored:
        return signals
    segmenter = Segmenter.from_options(model, options, threshold["threshold"])
    names = predictions.loc[predictions["height"].notna(), "photo"]
    masks = (read_mask(output_file(folder, MASKS, name)) for name in names)
    files = [folder_of(photos) / name for name in names]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise UserError(
            f"{missing} is missing: name the photos that were predicted (--params=photos=FOLDER)."
        )
    errors = mirror_errors(segmenter, files, masks)
    return signals.assign(mirror_error=pd.Series(errors, names.index, float))


def measure_validation_photos(
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    model: Model,
    threshold: dict[str, float],
    other_scores: pd.DataFrame,
    prediction: dict[str, Any],
    review: dict[str, Any],
) -> pd.DataFrame:
    """Measure the same of the validation photos, whose Dice is known."""
    photos = rows_of_split(photo_splits, "validation")
    scored = photos.merge(other_scores[["photo_id", "dice"]], on="photo_id")
    if scored.empty:
        raise UserError(
            "There are no scored validation photos, which say what the signals mean: run "
            "`kedro run --pipelines=reporting`."
        )
    level = threshold["threshold"]
    signals = signals_of_stack(probabilities, scored, level).assign(dice=scored["dice"])
    if not Review(**review).mirrored:
        return signals
    segmenter = Segmenter.from_options(model, PredictionOptions(**prediction), level)
    masks = (
        predicted_mask(
            probabilities.image(probabilities.rows_of([photo.photo_id])[0]),
            (photo.height, photo.width),
            level,
        )
        for photo in cast(Iterable[Any], scored.itertuples())
    )
    files = [Path(path) for path in scored["photo_path"]]
    return signals.assign(mirror_error=mirror_errors(segmenter, files, masks))


def fit_expected_dice(
    validation_signals: pd.DataFrame, review_signals: pd.DataFrame
) -> dict[str, Any]:
    """Fit the Dice to expect from the signals that the new photos have."""
    return fit_review_model(validation_signals, usable_signals(review_signals)).to_dict()


def rank_new_photos(review_signals: pd.DataFrame, review_model: dict[str, Any]) -> pd.DataFrame:
    """Put the new photos in order, the least expected Dice first, each with its reason."""
    queue = rank_photos(review_signals, ReviewModel.from_dict(review_model))
    first = queue.iloc[0]
    logger.info("%d photos to review; the first is %s: %s", len(queue), first.photo, first.reason)
    return queue


def write_review_page(
    review_queue: pd.DataFrame,
    review_model: dict[str, Any],
    predictions_folder: Path,
    photos: str,
) -> str:
    """Put the queue on one page, each mask on its photo, with thumbnails beside it."""
    from car_segmentation.report.review_page import review_page, write_thumbnails  # And Plotly.

    thumbnails = write_thumbnails(review_queue, folder_of(photos), predictions_folder)
    model = ReviewModel.from_dict(review_model)
    return review_page(review_queue, thumbnails, model)
