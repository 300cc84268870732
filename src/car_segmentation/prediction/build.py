"""What inference and reporting share: a model with others beside it."""

from pathlib import Path
from typing import TYPE_CHECKING

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Predicting
from car_segmentation.prediction.predictors import Predictor, better_predictor

if TYPE_CHECKING:
    import keras


def with_other_predictions(model: Predictor, settings: Predicting) -> Predictor:
    """Average a model's predictions with those of other models and other views, if so wished."""
    ensemble = [_read_model(path) for path in settings.ensemble]
    return better_predictor(model, ensemble, settings.flip, settings.scales)


def _read_model(path: str) -> "keras.Model":
    if not Path(path).is_file():
        raise UserError(f"There is no model in {path}, which `ensemble` names.")
    from car_segmentation.networks import read_model

    try:
        return read_model(Path(path))
    except UserError as error:
        raise UserError(f"`ensemble`: {error}") from None
