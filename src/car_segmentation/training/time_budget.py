"""Fit a training into minutes: time a step, and compute the number of photos from it."""

import logging
import math
import time

import keras

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Training
from car_segmentation.training.batches import Batch, PhotoBatches
from car_segmentation.training.compilation import compile_network
from car_segmentation.training.devices import ONE_DEVICE, Devices
from car_segmentation.training.precision import precision
from car_segmentation.training.stages import mean_area
from car_segmentation.training.steps import training_step

logger = logging.getLogger(__name__)

TIMED_STEPS = 3
"""Steps that are timed, after the first one, which compiles."""


def seconds_per_photo(
    network: keras.Model, settings: Training, batch: Batch, timed_steps: int = TIMED_STEPS
) -> float:
    """Time of a training step on a real batch, per photo.

    Args:
        network: Stays as it is; a copy is trained.
        settings: How it will be trained.
        batch: What to train on.
        timed_steps: How many steps are timed.
    """
    with precision(settings.precision):
        trial = type(network).from_config(network.get_config())
    compile_network(trial, settings)
    step = training_step(trial, ONE_DEVICE)
    step(batch)
    start = time.perf_counter()
    for _ in range(timed_steps):
        step(batch)
    return (time.perf_counter() - start) / timed_steps / batch.size


def epochs_in_minutes(
    network: keras.Model, settings: Training, batches: PhotoBatches, devices: Devices = ONE_DEVICE
) -> tuple[int, int]:
    """Compute how many epochs, of how many photos, end within ``training.minutes`` here.

    No more than ``training.epochs``: on a fast machine the training ends earlier. Validation and
    the model's further use come on top.

    Raises:
        UserError: If there are several devices.
    """
    if devices.count > 1:
        raise UserError(
            "training.minutes times steps on one device: set training.epochs, or devices=1."
        )
    height, width = batches.photos.pixels.shape[1:3]
    seconds = seconds_per_photo(network, settings, next(batches.epoch(settings.epochs)))
    seconds *= mean_area(settings.stages, height, width)
    whole = settings.epochs, batches.photos_per_epoch
    epochs, photos = min(
        epochs_for_budget(settings.minutes, seconds, batches.photos_per_epoch, settings.epochs),
        whole,
        key=math.prod,
    )
    logger.info(
        "training.minutes = %g: %d of %d epochs, of %d photos, at %.3g s a photo.",
        settings.minutes,
        epochs,
        settings.epochs,
        photos,
        seconds,
    )
    return epochs, photos


def apply_budget(
    settings: Training, batches: PhotoBatches, epochs: int, photos_per_epoch: int
) -> Training:
    """Settings and batches of a training of that length; see `epochs_in_minutes`."""
    batches.photos_per_epoch = photos_per_epoch
    return settings.model_copy(update={"epochs": epochs})


def epochs_for_budget(
    minutes: float | None, seconds_per_photo: float, photos: int, epochs: int
) -> tuple[int, int]:
    """Compute how many epochs, of how many photos, fill the budget.

    A budget that is no whole number of epochs makes all of them a little shorter, so that
    schedules end where the budget does.

    Args:
        minutes: Of training, or None for all photos in every one of ``epochs``.
        seconds_per_photo: What a photo costs in training.
        photos: In the train split.
        epochs: For a budget without minutes.

    Returns:
        Epochs, and photos in each; both at least 1.

    Example:
        >>> epochs_for_budget(minutes=1, seconds_per_photo=0.5, photos=50, epochs=9)
        (3, 40)
    """
    if minutes is None:
        return epochs, photos
    affordable = max(1, int(minutes * 60 / seconds_per_photo))
    epochs = math.ceil(affordable / photos)
    return epochs, affordable // epochs
