"""Compile a network for training: loss, metric and optimiser."""

import logging

import keras

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Training
from car_segmentation.training.devices import ONE_DEVICE, Devices
from car_segmentation.training.losses import build_loss
from car_segmentation.training.metrics import dice_metric
from car_segmentation.training.optimizers import build_optimizer

logger = logging.getLogger(__name__)


def compile_network(
    network: keras.Model, settings: Training, devices: Devices = ONE_DEVICE
) -> None:
    """Compile a network for training; `keras.Model.train_on_batch` is a step from then on.

    Raises:
        UserError: If ``encoder_lr_multiplier`` is set for a network without an encoder.
    """
    on_jax = keras.backend.backend() == "jax"
    if settings.jit_compile and devices.mirrored:
        logger.info("training.jit_compile: TensorFlow has no XLA for several devices.")
    network.compile(
        optimizer=build_optimizer(settings, _scaled_weights(network, settings)),
        loss=build_loss(settings),
        weighted_metrics=[dice_metric()],  # Batches for several devices have weights.
        # JAX without XLA would run one operation at a time.
        jit_compile=on_jax or (settings.jit_compile and not devices.mirrored),
    )
    # Made now: TensorFlow would trace the first step twice if it made variables.
    network.optimizer.build(network.trainable_variables)


def _scaled_weights(network: keras.Model, settings: Training) -> list[keras.Variable]:
    """The weights that have a learning rate of their own: those of a pretrained encoder."""
    if settings.encoder_lr_multiplier == 1:
        return []
    encoders = [layer for layer in network.layers if layer.name == "encoder"]
    if not encoders:
        raise UserError(
            f"training.encoder_lr_multiplier = {settings.encoder_lr_multiplier:g}: the network "
            f"{network.name} has no pretrained encoder to train more slowly; set it to 1, or take "
            "the network unet."
        )
    return list(encoders[0].trainable_variables)
