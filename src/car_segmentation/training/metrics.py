"""Metrics watched during training, at the network's own size. Final scores: `evaluation.scores`."""

import keras
from keras import ops

from car_segmentation.training.losses import SMOOTH, over_known_pixels


def dice_per_photo(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Dice of each photo after both masks are cut at one half; (batch,), 0 to 1."""
    truth = ops.cast(y_true >= 0.5, "float32")
    predicted = ops.cast(y_pred >= 0.5, "float32")
    overlap = ops.sum(truth * predicted, axis=(1, 2, 3))
    total = ops.sum(truth + predicted, axis=(1, 2, 3))
    return (2 * overlap + SMOOTH) / (total + SMOOTH)


def dice_metric() -> keras.metrics.Metric:
    """The mean of `dice_per_photo` over photos, whatever the batches."""
    return keras.metrics.MeanMetricWrapper(over_known_pixels(dice_per_photo), name="dice")
