"""Nodes of the modelling pipeline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.splits import check_same_photos, rows_of_split
from car_segmentation.evaluation.threshold import search_threshold
from car_segmentation.experiments import tracking
from car_segmentation.parameters import (
    Checks,
    ImageSize,
    Network,
    PredictionOptions,
    Registry,
    Training,
)
from car_segmentation.pipelines.slow_types import Figure, Model
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving import ServedModel
from car_segmentation.training.checkpoints import open_checkpoint


def build_network(
    network: dict[str, Any],
    image: dict[str, Any],
    training: dict[str, Any],
    seed: int,
    start_model: Model | None,
) -> Model:
    """Build the network for the input size, with weights from a fixed seed or a trained model."""
    import keras

    from car_segmentation.networks import registry
    from car_segmentation.training.fingerprint import weights_digest
    from car_segmentation.training.precision import precision, with_precision
    from car_segmentation.training.start_weights import take_weights

    keras.utils.set_random_seed(seed)
    settings, size = Network(**network), ImageSize(**image)
    options = with_precision(Training(**training))
    with precision(options.precision):
        built = registry.build_network(
            settings.architecture, size.height, size.width, **settings.options
        )
    if start_model is not None:
        start = str(options.start_from)
        take_weights(built, start_model, start)
        tracking.tag_run(started_from=start, started_from_weights=weights_digest(start_model))
    return built


def train_network(
    network: Model,
    photos: ImageStack,
    soft_masks: ImageStack,
    photo_splits: pd.DataFrame,
    augmentation: dict[str, Any],
    training: dict[str, Any],
    seed: int,
    checkpoints: Path,
) -> Iterator[tuple[Model, dict[str, list[float]]]]:
    """Train on the train split, stop by the validation split, and keep the best weights.

    A training that was stopped is continued. If this one is stopped, the best model so far is saved
    before the run ends.
    """
    import keras

    from car_segmentation.training.batch_size import fit_to_memory
    from car_segmentation.training.batches import PhotoBatches
    from car_segmentation.training.devices import find_devices
    from car_segmentation.training.fingerprint import fingerprint
    from car_segmentation.training.precision import with_precision
    from car_segmentation.training.stop_reasons import TrainingStopped
    from car_segmentation.training.time_budget import apply_budget, epochs_in_minutes
    from car_segmentation.training.trainer import train, without_training_state

    check_same_photos(photo_splits, photos.usable_ids)
    keras.utils.set_random_seed(seed)
    settings = with_precision(Training(**training))
    devices = find_devices(settings.devices)
    settings = fit_to_memory(network, settings, devices)
    training_batches, validation_batches = (
        PhotoBatches(
            photos,
            soft_masks,
            rows_of_split(photo_splits, split)["photo_id"].tolist(),
            settings.batch_size,
            augmentation=varied,
            seed=seed,
            workers=settings.loader_workers,
        )
        for split, varied in (("train", Augmentation(**augmentation)), ("validation", None))
    )
    mark = fingerprint(network, training_batches, validation_batches, settings)
    devices.check_same(mark)
    checkpoint = open_checkpoint(checkpoints, mark, settings.resume)
    note = checkpoint.read_note() | {"run_id": tracking.run_id(), "precision": settings.precision}
    if settings.minutes is not None:
        if "budget" not in note:  # A resumed training keeps its own.
            note["budget"] = epochs_in_minutes(network, settings, training_batches, devices)
        settings = apply_budget(settings, training_batches, *note["budget"])
        keras.utils.set_random_seed(seed)
    checkpoint.write_note(note)
    tracking.tag_run(precision=settings.precision)
    try:
        history = train(
            network,
            training_batches,
            validation_batches,
            settings,
            on_epoch_end=tracking.log_epoch,
            checkpoint=checkpoint,
            devices=devices,
        )
    except TrainingStopped as stopped:
        if stopped.history:
            yield without_training_state(network), stopped.history
        raise
    yield without_training_state(network), history
    checkpoint.remove()  # Not before the model is saved.


def choose_threshold(
    model: Model,
    photos: ImageStack,
    photo_splits: pd.DataFrame,
    prediction: dict[str, Any],
) -> tuple[dict[str, float], list[float], Figure]:
    """Find the probability from which a pixel is car, by validation Dice at native size."""
    from car_segmentation.report.plots.confidence import threshold_curve

    segmenter = Segmenter.from_options(model, PredictionOptions(**prediction))
    found = search_threshold(segmenter, photos, rows_of_split(photo_splits, "validation"))
    chosen = {"threshold": found.threshold, "validation_dice": found.best_dice}
    return chosen, found.dice.tolist(), threshold_curve(found.dice, found.threshold)


def describe_model(
    model: Model,
    threshold: dict[str, float],
    photos: ImageStack,
    checks: dict[str, Any],
    registry: dict[str, Any],
) -> ServedModel:
    """Package the model with all that it needs to make masks of photos, for MLflow."""
    settings = Registry(**registry)
    return ServedModel(
        network=model,
        threshold=threshold["threshold"],
        max_megapixels=Checks(**checks).max_megapixels,
        example=np.asarray(photos.pixels[0]),
        registered_name=settings.name if settings.register_models else None,
    )
