"""Nodes of the inference pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Checks, Inference
from car_segmentation.prediction.build import with_other_predictions
from car_segmentation.prediction.composites import Backdrop, read_backdrop
from car_segmentation.prediction.folder_job import (
    COMPOSITES,
    CUT_OUTS,
    MASKS,
    PROBABILITY_MAPS,
    NewPhotos,
    PendingPredictions,
    sort_out_photos,
)
from car_segmentation.prediction.predictors import Predictor, Tiles
from car_segmentation.prediction.submission import sample_photos

if TYPE_CHECKING:
    from keras import Model
else:
    Model = Any  # Kedro evaluates these hints, and Keras takes five seconds to import.


def find_new_photos(new_photo_files: Sequence[Path], photos: str, predictions: str) -> NewPhotos:
    """List the photos of a folder, and the files of it that cannot be predicted."""
    if not new_photo_files:
        raise UserError(
            f"There are no photos in {photos}. Say where they are, and where their masks go: "
            "`kedro run --pipelines=inference --params=photos=FOLDER,predictions=FOLDER`."
        )
    if Path(photos).resolve() == Path(predictions).resolve():
        raise UserError(f"Predictions need a folder of their own: {photos} holds the photos.")
    return sort_out_photos(new_photo_files)


def predict_new_photos(
    model: Model,
    threshold: dict[str, float],
    new_photos: NewPhotos,
    checks: dict[str, Any],
    inference: dict[str, Any],
) -> PendingPredictions:
    """Predict the mask of every photo at its native size, where it is not there yet."""
    settings = Inference(**inference)
    wanted = {
        MASKS: True,
        PROBABILITY_MAPS: settings.probability_maps,
        CUT_OUTS: settings.cut_outs,
        COMPOSITES: settings.composites is not None,
    }
    limits = Checks(**checks)
    return PendingPredictions(
        model=_predictor(model, settings),
        threshold=threshold["threshold"],
        photos=new_photos,
        batch_size=settings.batch_size,
        max_megapixels=limits.max_megapixels,
        outputs=tuple(output for output, is_wanted in wanted.items() if is_wanted),
        backdrop=_backdrop(settings, limits),
        submission=_submission_photos(settings, new_photos),
    )


def _predictor(model: Model, settings: Inference) -> Predictor:
    """The model, with everything that makes its masks better."""
    predictor = with_other_predictions(model, settings)
    if settings.tiles is None:
        return predictor
    tiles = settings.tiles
    return Tiles(predictor, tiles.overlap, settings.batch_size, tiles.height, tiles.width)


def _backdrop(settings: Inference, limits: Checks) -> Backdrop | None:
    """What composites are laid on, if there are to be any."""
    if settings.composites is None:
        return None
    suffix: Literal[".jpg", ".png"] = ".jpg" if settings.composite_format == "jpg" else ".png"
    return read_backdrop(settings.composites, suffix, limits.max_megapixels)


def _submission_photos(settings: Inference, new_photos: NewPhotos) -> tuple[str, ...] | None:
    """Photos of the submission in its order, if there is to be one."""
    if not settings.submission:
        return None
    if settings.sample_submission is None:
        return tuple(path.name for path in new_photos.usable)
    return sample_photos(Path(settings.sample_submission))
