"""From the parameters of the group ``prediction`` to what predicts: `build_predictor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from car_segmentation.core.errors import UserError
from car_segmentation.core.processor import multiplies_bfloat16
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.ensemble import Ensemble
from car_segmentation.prediction.predictor import Predictor
from car_segmentation.prediction.runtimes import RuntimeModel
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation
from car_segmentation.prediction.tiling import Tiles

if TYPE_CHECKING:
    import keras


def build_predictor(model: Predictor, options: PredictionOptions) -> Predictor:
    """The model with what the options ask for: an ensemble, augmented at test time, in tiles.

    Raises:
        UserError: If a model of the ensemble cannot be read, sizes do not fit, or the packages of
            the backend are not installed.
    """
    members = [model, *map(_read_member, options.ensemble)]
    if options.precision is not None:
        members = [_in_precision(each, options.precision) for each in members]
    if options.backend != "keras":
        members = [RuntimeModel(each, options.backend, options.batch_size) for each in members]
    else:
        members = [_fast(each) for each in members]
    predictor = members[0] if len(members) == 1 else Ensemble(members)
    if options.flip or options.scales != (1.0,):
        predictor = TestTimeAugmentation(predictor, options.flip, options.scales)
    if options.tiles is not None:
        tiles = options.tiles
        predictor = Tiles(predictor, tiles.overlap, options.batch_size, tiles.height, tiles.width)
    return predictor


def _read_member(path: str) -> "keras.Model":
    from car_segmentation.networks.model_file import read_model

    try:
        return read_model(Path(path))
    except UserError as error:
        raise UserError(f"`prediction.ensemble`: {error}") from None


def _fast(model: Predictor) -> Predictor:
    """The model without what only training needs, if it is a Keras model."""
    if not hasattr(model, "save"):
        return model
    from car_segmentation.networks.folding import fold_batch_norm

    return cast(Predictor, fold_batch_norm(cast(Any, model)))


def _in_precision(model: Any, precision: str) -> "keras.Model":
    """The model as fast as this processor can compute it (``auto``), or in float32."""
    from car_segmentation.networks.precision import (
        computes_in_half,
        in_float32,
        in_mixed_bfloat16,
    )

    in_half = precision == "auto" and multiplies_bfloat16()
    if computes_in_half(model) == in_half:
        return model
    return in_mixed_bfloat16(model) if in_half else in_float32(model)
