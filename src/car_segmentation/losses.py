"""Training losses, picked by name with `build_loss`.

Every loss takes truth and prediction (batch, height, width, 1) with values 0 to 1, the truth
soft at the edges, and returns one float32 value per photo, (batch,): no value depends on which
photos share a batch, and no sum overflows half precision.
"""

from collections.abc import Callable

import keras
from keras import ops

SMOOTH = 1.0
"""Added above and below in Dice, so that an empty mask predicted empty scores 1. As in the
post's script and petrosgk's ``losses.py``."""

BORDER_SOFTNESS = 0.005
"""A pixel is at the border if the mean of the mask around it is this far from 0 and from 1
(petrosgk, ``losses.py``)."""

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def bce_dice(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy plus 1 − Dice: the loss of the post."""
    y_true, y_pred = _float32(y_true, y_pred)
    weight = ops.ones_like(y_true)
    return _weighted_bce(y_true, y_pred, weight) + 1 - _weighted_dice(y_true, y_pred, weight)


def border_bce_dice(kernel: int, weight: float) -> Loss:
    """BCE + (1 − Dice) in which pixels near the true edge count more.

    All of the challenge's leading entries weighted the border; this is the form of the first
    place (asanakoy, ``losses.py``), with both terms weighted alike.

    Args:
        kernel: Side in pixels of the square whose mean tells what is near the edge.
        weight: How much more a pixel at the border counts than another (0: not at all).
    """

    def loss(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        y_true, y_pred = _float32(y_true, y_pred)
        # Along one axis, then the other: the same mean for 2 · kernel additions, not kernel².
        mean = ops.average_pool(y_true, (kernel, 1), strides=1, padding="same")
        mean = ops.average_pool(mean, (1, kernel), strides=1, padding="same")
        border = ops.logical_and(mean > BORDER_SOFTNESS, mean < 1 - BORDER_SOFTNESS)
        pixel_weight = 1 + weight * ops.cast(border, "float32")
        return (
            _weighted_bce(y_true, y_pred, pixel_weight)
            + 1
            - _weighted_dice(y_true, y_pred, pixel_weight)
        )

    return loss


LOSSES = ("bce_dice", "border_bce_dice")


def build_loss(name: str, border_kernel: int, border_weight: float) -> Loss:
    """Pick a loss by its name, one of `LOSSES`."""
    if name == "border_bce_dice":
        return border_bce_dice(border_kernel, border_weight)
    return {"bce_dice": bce_dice}[name]


def _float32(*tensors: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [ops.cast(tensor, "float32") for tensor in tensors]


def _weighted_bce(
    y_true: keras.KerasTensor, y_pred: keras.KerasTensor, weight: keras.KerasTensor
) -> keras.KerasTensor:
    """Mean binary cross-entropy of each photo."""
    entropy = ops.binary_crossentropy(y_true, y_pred)
    return ops.sum(weight * entropy, axis=(1, 2, 3)) / ops.sum(weight, axis=(1, 2, 3))


def _weighted_dice(
    y_true: keras.KerasTensor, y_pred: keras.KerasTensor, weight: keras.KerasTensor
) -> keras.KerasTensor:
    """Soft Dice of each photo: 2·Σwtp / (Σwt + Σwp) (Milletari et al. 2016, without squares)."""
    overlap = ops.sum(weight * y_true * y_pred, axis=(1, 2, 3))
    total = ops.sum(weight * (y_true + y_pred), axis=(1, 2, 3))
    return (2 * overlap + SMOOTH) / (total + SMOOTH)
