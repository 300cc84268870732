"""Nodes of the reporting pipeline."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from car_segmentation import charts, evaluation
from car_segmentation.error_maps import contact_sheet, error_map, legend, mask_picture
from car_segmentation.parameters import Reporting
from car_segmentation.photos import read_mask, read_photo
from car_segmentation.prediction import predicted_stack
from car_segmentation.stacks import ImageStack, PendingStack

if TYPE_CHECKING:
    from keras import Model
else:
    Model = Any  # Kedro evaluates these hints, and Keras takes five seconds to import.

GALLERY_CELL_WIDTH = 480


def predict_test_photos(
    model: Model,
    photos: ImageStack,
    photo_splits: pd.DataFrame,
    reporting: dict[str, Any],
) -> PendingStack:
    """Predict the probability map of every test photo."""
    batch_size = Reporting(**reporting).prediction_batch_size
    return predicted_stack(model, photos, _test(photo_splits)["photo_id"].tolist(), batch_size)


def score_test_photos(
    probabilities: ImageStack, photo_splits: pd.DataFrame, threshold: dict[str, float]
) -> pd.DataFrame:
    """Score every test photo at its native size, the worst first."""
    return evaluation.score_photos(probabilities, _test(photo_splits), threshold["threshold"])


def summarise_scores(photo_scores: pd.DataFrame) -> dict[str, float]:
    """Put the scores of all test photos into a few numbers."""
    return evaluation.summarise(photo_scores)


def track_scores(
    score_summary: dict[str, float], threshold: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Hand the final numbers to MLflow."""
    metrics = {
        f"test.{name}": value
        for name, value in score_summary.items()
        if name not in {"photos", "cars"}  # The data set says these.
    }
    metrics |= {"validation.dice_mean": threshold["validation_dice"]}
    metrics |= {"threshold": threshold["threshold"]}
    return {name: {"value": value, "step": 0} for name, value in metrics.items()}


def plot_dice_histogram(photo_scores: pd.DataFrame) -> Figure:
    """Show how Dice is spread over the test photos."""
    return charts.dice_histogram(photo_scores["dice"])


def plot_learning_curves(history: dict[str, list[float]]) -> Figure:
    """Show loss and Dice of every epoch, in training and validation."""
    return charts.learning_curves(history)


def draw_error_maps(
    photo_scores: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
) -> dict[str, Callable[[], np.ndarray]]:
    """Draw the worst photos in the post's colours: red FP, green TP, blue FN."""

    def draw(photo: Any) -> np.ndarray:
        picture, truth, predicted = _read_result(photo, probabilities, threshold)
        return np.concatenate([error_map(picture, predicted, truth), legend(picture.shape[1])])

    return {
        f"{rank:02d}_{photo.photo_id}": partial(draw, photo)
        for rank, photo in _worst(photo_scores, photo_splits, reporting)
    }


def draw_gallery(
    photo_scores: pd.DataFrame,
    probabilities: ImageStack,
    photo_splits: pd.DataFrame,
    threshold: dict[str, float],
    reporting: dict[str, Any],
) -> np.ndarray:
    """Lay out the worst photos, each beside its truth, its prediction and its error map."""
    rows, captions = [], []
    for rank, photo in _worst(photo_scores, photo_splits, reporting):
        picture, truth, predicted = _read_result(photo, probabilities, threshold)
        errors = error_map(picture, predicted, truth)
        rows.append([picture, mask_picture(truth), mask_picture(predicted), errors])
        captions.append(
            f"{rank}. {photo.photo_id}   Dice {photo.dice:.4f}   edge error "
            f"{photo.edge_error_px:.1f} px   (photo, truth, prediction, errors)"
        )
    sheet = contact_sheet(rows, captions, GALLERY_CELL_WIDTH)
    return np.concatenate([legend(sheet.shape[1]), sheet])


def _test(photo_splits: pd.DataFrame) -> pd.DataFrame:
    return photo_splits[photo_splits["split"] == "test"]


def _worst(
    photo_scores: pd.DataFrame, photo_splits: pd.DataFrame, reporting: dict[str, Any]
) -> Iterator[tuple[int, Any]]:
    """Rank, from 1, and row of the worst photos: their scores and their files."""
    worst = photo_scores.head(Reporting(**reporting).worst_photos)
    files = photo_splits[["photo_id", "photo_path", "mask_path"]]
    return enumerate(worst.merge(files, on="photo_id").itertuples(), start=1)


def _read_result(
    photo: Any, probabilities: ImageStack, threshold: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo, true mask and predicted mask at native size."""
    truth = read_mask(Path(photo.mask_path))
    row = probabilities.rows_of([photo.photo_id])[0]
    predicted = evaluation.predicted_mask(
        probabilities.pixels[row], truth.shape, threshold["threshold"]
    )
    return read_photo(Path(photo.photo_path)), truth, predicted
