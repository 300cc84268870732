"""Train and score one candidate of a comparison of networks, within a budget of time or epochs.

Everything that candidates share (photos, split, augmentation, budget) is in `ComparisonSetup`; what
tells them apart is in `Candidate`. The table of all is in `comparison_table`.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.splits import rows_of_split
from car_segmentation.parameters import (
    AugmentationRanges,
    ImageSize,
    Network,
    PredictionOptions,
    Training,
)
from car_segmentation.training.stages import mean_area

if TYPE_CHECKING:
    import keras

    from car_segmentation.prediction.predictor import Predictor
    from car_segmentation.training.trainer import OnEpochEnd


@dataclass(frozen=True)
class Candidate:
    """Candidate of the comparison.

    Attributes:
        name: What the table calls it.
        network: Its architecture and options.
        training: How it is trained; a budget of time overrides its epochs and its patience.
        full_width: The network at its paper's own width, whose cost is measured too.
    """

    name: str
    network: Network
    training: Training
    full_width: Network | None = None

    def __post_init__(self) -> None:
        """Refuse weights that only one of all could start from."""
        if self.training.start_from is not None:
            raise UserError(
                f"training.start_from = {self.training.start_from}: comparisons of networks and "
                "searches train all from their own initial weights. Set it to null."
            )


@dataclass(frozen=True)
class ComparisonSetup:
    """Setup that all candidates share.

    Attributes:
        photos: Photos of all splits.
        soft_masks: Their masks.
        photo_splits: Columns ``photo_id``, ``car``, ``view``, ``height``, ``width``,
            ``mask_path`` and ``split``.
        image: The size that the networks see.
        augmentation: How training photos are varied.
        minutes: Training time of each candidate on this machine, or None for the epochs of its
            ``training``.
        timed_steps: Training steps whose time is measured to fill the minutes.
        seed: Draws weights, order and augmentations.
    """

    photos: ImageStack
    soft_masks: ImageStack
    photo_splits: pd.DataFrame
    image: ImageSize
    augmentation: Augmentation
    minutes: float | None
    timed_steps: int
    seed: int

    def ids(self, split: str) -> list[str]:
        """Photo ids of a split."""
        return self.of(split)["photo_id"].tolist()

    def of(self, split: str) -> pd.DataFrame:
        """Rows of a split."""
        return rows_of_split(self.photo_splits, split)


@dataclass(frozen=True)
class CandidateResult:
    """The result of a candidate; the names have the units.

    Attributes:
        times_each_photo_was_seen: Mean, over the photos of the train split.
        training_minutes: Of training alone, the validation after each epoch included.
        training_seconds_per_photo: Of a training step, measured alone, without loading.
        prediction_ms_per_photo: Of the network alone, at the input size.
        peak_memory_gb: Largest resident memory of the process, which did nothing else.
    """

    name: str
    parameters: int
    epochs: int
    times_each_photo_was_seen: float
    training_minutes: float
    training_seconds_per_photo: float
    prediction_ms_per_photo: float
    peak_memory_gb: float
    threshold: float
    validation_dice: float
    dice_mean: float
    dice_median: float
    dice_worst: float
    edge_error_px: float
    full_width_parameters: int | None
    full_width_training_seconds_per_photo: float | None


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        network: With the weights of its best epoch.
        epochs: How many were trained.
        photos_per_epoch: How many photos each of them saw.
        minutes: Of training alone, the validation after each epoch included.
        threshold: The probability with the best validation Dice.
        validation_dice: That Dice, the mean over photos at native size.
    """

    network: "keras.Model"
    epochs: int
    photos_per_epoch: int
    minutes: float
    threshold: float
    validation_dice: float


def train_and_score(
    candidate: Candidate, setup: ComparisonSetup, on_epoch_end: "OnEpochEnd"
) -> tuple["keras.Model", CandidateResult, pd.DataFrame]:
    """Train a candidate within the budget, and score it at native size on the test photos.

    Meant for a process of its own: the peak of memory is the process's.

    Returns:
        The model, its result, and the scores of each test photo, the worst first.
    """
    from car_segmentation.evaluation.photo_scores import score_photos
    from car_segmentation.prediction.probability_maps import write_probability_maps
    from car_segmentation.prediction.segmenter import Segmenter
    from car_segmentation.training.trainer import without_training_state

    settings = candidate.training
    seconds_per_photo = seconds_per_training_photo(candidate.network, settings, setup)
    trained = train_candidate(candidate, setup, on_epoch_end, seconds_per_photo)
    network, batch_size = trained.network, settings.batch_size
    options = PredictionOptions(batch_size=batch_size)
    segmenter = Segmenter.from_options(network, options, trained.threshold)
    prediction_seconds = seconds_per_predicted_photo(segmenter.predictor, setup, batch_size)
    with tempfile.TemporaryDirectory() as folder:
        stack = write_probability_maps(
            Path(folder) / "probabilities", segmenter, setup.photos, setup.of("test")
        )
        scores = score_photos(stack, setup.of("test"), trained.threshold)
    peak_memory_gb = peak_memory() / 1e9  # Before the full width, which would raise it.

    full_width = candidate.full_width
    result = CandidateResult(
        name=candidate.name,
        parameters=network.count_params(),
        epochs=trained.epochs,
        times_each_photo_was_seen=trained.epochs
        * trained.photos_per_epoch
        / len(setup.ids("train")),
        training_minutes=trained.minutes,
        training_seconds_per_photo=seconds_per_photo,
        prediction_ms_per_photo=1000 * prediction_seconds,
        peak_memory_gb=peak_memory_gb,
        threshold=trained.threshold,
        validation_dice=trained.validation_dice,
        dice_mean=float(scores["dice"].mean()),
        dice_median=float(scores["dice"].median()),
        dice_worst=float(scores["dice"].min()),
        edge_error_px=float(scores["edge_error_px"].mean()),
        full_width_parameters=(
            _build(full_width, settings, setup).count_params() if full_width else None
        ),
        full_width_training_seconds_per_photo=(
            seconds_per_training_photo(full_width, settings, setup) if full_width else None
        ),
    )
    return without_training_state(network), result, scores


def train_candidate(
    candidate: Candidate,
    setup: ComparisonSetup,
    on_epoch_end: "OnEpochEnd",
    seconds_per_photo: float,
    checkpoints: Path | None = None,
) -> TrainingResult:
    """Train a candidate within the budget, and find its threshold; test photos are left alone.

    Args:
        candidate: What to train.
        setup: On what, and how long.
        on_epoch_end: See `training.train`.
        seconds_per_photo: What a whole photo costs in training; not looked at without a budget of
            time.
        checkpoints: A folder to keep the training's state in, so that it can be continued.
    """
    import keras

    from car_segmentation.evaluation.threshold import search_threshold
    from car_segmentation.prediction.segmenter import Segmenter
    from car_segmentation.training.batches import PhotoBatches
    from car_segmentation.training.checkpoints import open_checkpoint
    from car_segmentation.training.fingerprint import fingerprint
    from car_segmentation.training.precision import with_precision
    from car_segmentation.training.time_budget import epochs_for_budget
    from car_segmentation.training.trainer import train

    settings = with_precision(candidate.training)
    area = mean_area(settings.stages, *setup.photos.pixels.shape[1:3])
    epochs, photos_per_epoch = epochs_for_budget(
        setup.minutes, seconds_per_photo * area, len(setup.ids("train")), settings.epochs
    )
    if setup.minutes is not None:
        settings = settings.model_copy(update={"epochs": epochs, "patience": epochs})

    network = _build(candidate.network, settings, setup)
    keras.utils.set_random_seed(setup.seed)
    training_batches, validation_batches = (
        PhotoBatches(
            setup.photos,
            setup.soft_masks,
            setup.ids(split),
            settings.batch_size,
            augmentation=augmentation,
            seed=setup.seed,
            photos_per_epoch=photos,
            workers=settings.loader_workers,
        )
        for split, augmentation, photos in (
            ("train", setup.augmentation, photos_per_epoch),
            ("validation", None, None),
        )
    )
    checkpoint = None
    if checkpoints is not None:
        mark = fingerprint(network, training_batches, validation_batches, settings)
        checkpoint = open_checkpoint(checkpoints, mark, settings.resume)
    start = time.perf_counter()
    history = train(
        network, training_batches, validation_batches, settings, on_epoch_end, checkpoint
    )
    minutes = (time.perf_counter() - start) / 60
    options = PredictionOptions(batch_size=settings.batch_size)
    segmenter = Segmenter.from_options(network, options)
    found = search_threshold(segmenter, setup.photos, setup.of("validation"))
    return TrainingResult(
        network=network,
        epochs=len(history["loss"]),
        photos_per_epoch=photos_per_epoch,
        minutes=minutes,
        threshold=found.threshold,
        validation_dice=found.best_dice,
    )


def seconds_per_training_photo(
    network: Network, settings: Training, setup: ComparisonSetup
) -> float:
    """Time of a training step on one real batch, per photo, after the first, which compiles."""
    from car_segmentation.training.batches import PhotoBatches
    from car_segmentation.training.precision import with_precision
    from car_segmentation.training.time_budget import seconds_per_photo

    settings = with_precision(settings)
    model = _build(network, settings, setup)
    ids = setup.ids("train")[: settings.batch_size]
    batches = PhotoBatches(setup.photos, setup.soft_masks, ids, settings.batch_size)
    return seconds_per_photo(model, settings, next(batches.epoch()), setup.timed_steps)


def seconds_per_predicted_photo(
    model: "Predictor", setup: ComparisonSetup, batch_size: int
) -> float:
    """Time of a prediction at the input size, per photo, after the first, which compiles."""
    photos = np.asarray(setup.photos.pixels[:batch_size])
    model.predict_on_batch(photos)
    start = time.perf_counter()
    for _ in range(setup.timed_steps):
        np.asarray(model.predict_on_batch(photos))
    return (time.perf_counter() - start) / setup.timed_steps / len(photos)


def peak_memory() -> float:
    """Largest resident memory of this process so far, in bytes; NaN where it is unknown."""
    try:
        import resource
    except ImportError:  # Windows.
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def augmentation_of(ranges: Mapping[str, Any]) -> Augmentation:
    """Augmentation from its group of parameters."""
    return Augmentation(**AugmentationRanges(**ranges).model_dump(exclude={"min_in_frame"}))


def digest(candidate: Candidate, setup: ComparisonSetup) -> str:
    """A fingerprint of all that a candidate's result depends on, but for code and machine."""
    split = setup.photo_splits[["photo_id", "split"]]
    content = {
        "network": candidate.network.model_dump(),
        "training": candidate.training.model_dump(),
        "full_width": candidate.full_width.model_dump() if candidate.full_width else None,
        "split": split.to_dict("list"),
        "image": setup.image.model_dump(),
        "augmentation": asdict(setup.augmentation),
        "minutes": setup.minutes,
        "seed": setup.seed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _build(network: Network, settings: Training, setup: ComparisonSetup) -> "keras.Model":
    import keras

    from car_segmentation.networks.registry import build_network
    from car_segmentation.training.precision import precision, with_precision

    keras.utils.set_random_seed(setup.seed)
    with precision(with_precision(settings).precision):
        return build_network(
            network.architecture, setup.image.height, setup.image.width, **network.options
        )
