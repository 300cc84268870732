"""Find the batch that fits into a device's memory."""

import gc
import logging
from collections.abc import Callable

import keras
import numpy as np

from car_segmentation.core.errors import UserError, is_out_of_memory
from car_segmentation.parameters import Training
from car_segmentation.training.compilation import compile_network
from car_segmentation.training.devices import ONE_DEVICE, Devices
from car_segmentation.training.precision import precision

logger = logging.getLogger(__name__)


def fitting_batch(try_batch: Callable[[int], None], batch_size: int, multiple: int = 1) -> int:
    """Halve a batch until a step with it fits into memory.

    Args:
        try_batch: Takes one step with a batch of the given size.
        batch_size: The number of photos to begin with.
        multiple: The result is a multiple of it: the number of devices.

    Returns:
        ``batch_size`` divided by 1, 2, 4, ….

    Raises:
        UserError: If no such batch fits.
    """
    size = batch_size
    while True:
        try:
            try_batch(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        else:
            return size
        if size % (2 * multiple):
            raise UserError(
                f"Not even a batch of {size} fits into memory (training.batch_size = {batch_size}, "
                f"devices: {multiple}): {reason}. Try a smaller image or network, or "
                "training.precision=mixed_bfloat16."
            )
        logger.warning("A batch of %d does not fit into memory (%s): trying half.", size, reason)
        size //= 2


def fit_to_memory(
    network: keras.Model, settings: Training, devices: Devices = ONE_DEVICE
) -> Training:
    """Settings with a batch that fits into memory, and as many of them in a step as it takes.

    A step learns from as many photos as before; only batch normalisation sees fewer at a time.

    Args:
        network: Stays as it is; a copy is tried.
        settings: How it will be trained; unless ``fit_to_memory``, nothing is tried.
        devices: What shares each batch.

    Raises:
        UserError: If not even the smallest batch fits, or there are several processes.
    """
    if not settings.fit_to_memory:
        return settings
    if devices.processes > 1:
        raise UserError(
            "training.fit_to_memory works on one host only: find the batch size there, and give "
            "it to all (training.batch_size, training.gradient_accumulation_steps)."
        )

    def with_batch(size: int) -> Training:
        more = settings.batch_size // size
        return settings.model_copy(
            update={
                "batch_size": size,
                "gradient_accumulation_steps": settings.gradient_accumulation_steps * more,
            }
        )

    def try_batch(size: int) -> None:
        gc.collect()  # What did not fit.
        devices.check(with_batch(size))
        _, height, width, channels = network.input_shape
        # Without a strategy's help, each of TensorFlow's devices gets the whole of what it is fed.
        fed = size // devices.count if devices.mirrored else size
        photos = np.zeros((fed, height, width, channels), np.uint8)
        masks = np.zeros((fed, height, width, 1), np.float32)
        with devices.scope(), precision(settings.precision):
            trial = type(network).from_config(network.get_config())
            compile_network(trial, with_batch(size), devices)
            trial.train_on_batch(photos, masks)

    fitted = with_batch(fitting_batch(try_batch, settings.batch_size, devices.count))
    gc.collect()
    if fitted != settings:
        logger.info(
            "Training on %d batches of %d a step. To skip the search next time: "
            "training.batch_size=%d,training.gradient_accumulation_steps=%d",
            fitted.gradient_accumulation_steps,
            fitted.batch_size,
            fitted.batch_size,
            fitted.gradient_accumulation_steps,
        )
    return fitted
