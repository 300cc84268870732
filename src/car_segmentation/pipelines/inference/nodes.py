"""Nodes of the inference pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import folder_of
from car_segmentation.data.pairing import car_of
from car_segmentation.parameters import Checks, Inference, Pairing, PredictionOptions
from car_segmentation.pipelines.slow_types import Model
from car_segmentation.prediction.canvas_files import write_canvases
from car_segmentation.prediction.composites import Backdrop, read_backdrop
from car_segmentation.prediction.folder_job import FolderJob
from car_segmentation.prediction.new_photos import NewPhotos, StoredPhotos, sort_out_photos
from car_segmentation.prediction.photo_files import COMPOSITES, CUT_OUTS, MASKS, PROBABILITY_MAPS
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.prediction.shards import Shard
from car_segmentation.prediction.store_job import write_to_store
from car_segmentation.prediction.submission import sample_photos


def find_new_photos(
    new_photo_files: Sequence[Path] | StoredPhotos, photos: str, predictions: str
) -> NewPhotos:
    """List the photos of a folder, and the files of it that cannot be predicted."""
    if not new_photo_files:
        raise UserError(
            f"There are no photos in {photos}. Say where they are, and where their masks go: "
            "`kedro run --pipelines=inference --params=photos=FOLDER,predictions=FOLDER`."
        )
    if isinstance(new_photo_files, StoredPhotos):
        return sort_out_photos(new_photo_files.outside(predictions))
    results = Path(predictions)
    if Path(photos).resolve() == results.resolve():
        raise UserError(f"Predictions need a folder of their own: {photos} holds the photos.")
    inside = results.absolute()  # Of an earlier run: pictures too, but not photos.
    files = [path for path in new_photo_files if not path.absolute().is_relative_to(inside)]
    return sort_out_photos(files, folder_of(photos))


def predict_new_photos(
    model: Model,
    threshold: dict[str, float],
    new_photos: NewPhotos,
    checks: dict[str, Any],
    prediction: dict[str, Any],
    inference: dict[str, Any],
    pairing: dict[str, Any],
    predictions_folder: Path | ObjectStore,
) -> Path | ObjectStore:
    """Predict the mask of every photo at its native size, where it is not there yet."""
    settings, limits = Inference(**inference), Checks(**checks)
    options = PredictionOptions(**prediction)
    wanted = {
        MASKS: True,
        PROBABILITY_MAPS: settings.probability_maps,
        CUT_OUTS: settings.cut_outs or settings.canvas is not None,
        COMPOSITES: settings.composites is not None,
    }
    backdrop = _backdrop(settings, limits)
    job = FolderJob(
        segmenter=Segmenter.from_options(model, options, threshold["threshold"]),
        photos=new_photos,
        max_megapixels=limits.max_megapixels,
        outputs=tuple(output for output, is_wanted in wanted.items() if is_wanted),
        backdrop=backdrop,
        submission=_submission_photos(settings, new_photos),
        largest_piece=settings.largest_piece,
        shadow=settings.shadow,
        shard=None if settings.shard is None else Shard.parse(settings.shard),
    )
    if isinstance(predictions_folder, ObjectStore):
        write_to_store(job, predictions_folder)
        return predictions_folder
    records = job.write(predictions_folder)
    if settings.canvas is not None:
        pattern = Pairing(**pairing).name_pattern
        cars = {
            record.photo: car_of(record.photo, pattern)
            for record in records
            if record.height is not None
        }
        write_canvases(predictions_folder, cars, settings.canvas, backdrop, settings.shadow)
    return predictions_folder


def _backdrop(settings: Inference, limits: Checks) -> Backdrop | None:
    """Backdrop of composites, if any are requested."""
    if settings.composites is None:
        return None
    suffix: Literal[".jpg", ".png"] = ".jpg" if settings.composite_format == "jpg" else ".png"
    return read_backdrop(settings.composites, suffix, limits.max_megapixels)


def _submission_photos(settings: Inference, new_photos: NewPhotos) -> tuple[str, ...] | None:
    """Photos of the submission in its order, if there is to be one."""
    if not settings.submission:
        return None
    if settings.sample_submission is None:
        return tuple(new_photos.name(path) for path in new_photos.usable)
    return sample_photos(Path(settings.sample_submission))
