"""Which model made the predictions in a folder."""

from pathlib import Path
from typing import Any

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.build import build_predictor
from car_segmentation.prediction.predictor import Predictor, model_digest
from car_segmentation.prediction.resume_journal import JOURNAL_FILE, read_origin
from car_segmentation.prediction.shards import shard_files


def origin_of(folder: Path) -> dict[str, Any] | None:
    """What made the predictions in a folder, also by parts; None if it does not say."""
    journal = folder / JOURNAL_FILE
    return next(filter(None, map(read_origin, [journal, *shard_files(journal)])), None)


def check_origin(
    folder: Path, model: Predictor, options: PredictionOptions, threshold: float
) -> None:
    """Make sure that predictions are those of a model.

    The backend may be another: it changes rounding alone.

    Args:
        folder: Of the predictions. If it does not say what made them, they pass.
        model: The model.
        options: What it predicts with.
        threshold: Probability from which a pixel is car.

    Raises:
        UserError: If they are not.
    """
    origin = origin_of(folder)
    if origin is None:
        return
    backends = {"keras", options.backend}
    digests = {
        model_digest(build_predictor(model, options.model_copy(update={"backend": backend})))
        for backend in backends
    }
    if origin.get("model") not in digests or origin.get("threshold") != threshold:
        raise UserError(
            f"{folder} holds predictions of another model, threshold or `prediction` parameters "
            "than the validation photos were predicted with, which say what signs of errors mean. "
            "Predict the photos with this environment's own model, into another folder "
            "(--params=predictions=FOLDER), or give this run the --env of their model."
        )
