"""Whether batch normalisation can gather its statistics within an epoch."""

import logging
import math

import keras

from car_segmentation.training.devices import innermost_layers

logger = logging.getLogger(__name__)

MAX_INITIAL_SHARE = 0.1
"""Largest share of their initial values that moving statistics may have after an epoch."""


def warn_of_slow_statistics(network: keras.Model, batches: int) -> None:
    """Warn if validation would be computed with statistics that no photo has shown.

    Training normalises with the statistics of each batch, validation and prediction with moving
    averages over batches. After n batches these still have momentumⁿ of what they began with: at
    0.99 and 56 batches, 57 %. The validation loss of such epochs can rise, and end a training that
    goes well.

    Args:
        network: To be trained.
        batches: Of an epoch.
    """
    normalisations = (
        layer
        for layer in innermost_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    momentum = max((layer.momentum for layer in normalisations), default=0.0)
    left = momentum**batches
    if left <= MAX_INITIAL_SHARE:
        return
    enough = math.floor(100 * MAX_INITIAL_SHARE ** (2 / batches)) / 100  # 1 % is left.
    logger.warning(
        "An epoch has %d batches. After it, batch normalisation's moving statistics are still made "
        "up of %.0f %% initial values, so the validation of the first epochs says little, and "
        "early stopping may follow it. Set network.batch_norm_momentum=%g or less (now %g).",
        batches,
        100 * left,
        enough,
        momentum,
    )
