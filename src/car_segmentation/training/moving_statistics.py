"""Whether batch normalisation gathers its statistics before early stopping looks at them."""

import logging
import math

import keras

from car_segmentation.training.devices import innermost_layers

logger = logging.getLogger(__name__)

MAX_INITIAL_SHARE = 0.1
"""Largest share of initial values in moving statistics when early stopping may end a training."""


def warn_of_slow_statistics(network: keras.Model, batches: int, patience: int) -> None:
    """Warn if early stopping would follow statistics that no photo has shown.

    Training normalises with the statistics of each batch, validation and prediction with moving
    averages over batches. After n batches these still have momentumⁿ of what they began with: at
    0.99 and 168 batches, 18 %. The validation loss of such epochs can rise, and end a training that
    goes well.

    Args:
        network: To be trained.
        batches: Of an epoch.
        patience: Epochs without improvement that end the training.
    """
    normalisations = (
        layer
        for layer in innermost_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    momentum = max((layer.momentum for layer in normalisations), default=0.0)
    first_end = batches * (patience + 1)
    left = momentum**first_end
    if left <= MAX_INITIAL_SHARE:
        return
    enough = math.floor(100 * MAX_INITIAL_SHARE ** (2 / first_end)) / 100  # 1 % is left.
    logger.warning(
        "After %d batches, when early stopping may end the training, batch normalisation's moving "
        "statistics are still made up of %.0f %% initial values, and validation with them says "
        "little. Set network.batch_norm_momentum=%g or less (now %g), or a larger "
        "training.patience.",
        first_end,
        100 * left,
        enough,
        momentum,
    )
