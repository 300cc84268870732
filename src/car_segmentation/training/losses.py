"""Training losses, picked by name with `build_loss`.

Every loss takes truth and prediction (batch, height, width, 1) with values 0 to 1, the truth
soft at the edges, and returns one float32 value per photo, (batch,): no value depends on which
photos share a batch, and no sum overflows half precision.

On soft truth the losses differ: cross-entropy, focal and Lovász are least where the prediction is
the truth, whereas Dice, Jaccard and Tversky, as their papers define them, are less if it is harder.
"""

import functools
from collections.abc import Callable

import keras
from keras import ops

from car_segmentation.parameters import Training

SMOOTH = 1.0
"""Added to numerator and denominator of Dice and similar losses, so that an empty mask predicted
empty scores 1. As in the post's script and petrosgk's ``losses.py``."""

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


def dice(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """1 − Dice (Milletari et al. 2016, without squares)."""
    y_true, y_pred = _float32(y_true, y_pred)
    return 1 - _weighted_dice(y_true, y_pred, ops.ones_like(y_true))


def jaccard(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """1 − intersection over union, soft: Σtp / (Σt + Σp − Σtp) (Rahman and Wang 2016)."""
    return tversky(alpha=1.0, beta=1.0)(y_true, y_pred)


def tversky(alpha: float, beta: float) -> Loss:
    """1 − Tversky's index, Σtp / (Σtp + α·Σ(1−t)p + β·Σt(1−p)) (Salehi et al. 2017).

    One half each is Dice, 1 each is Jaccard's index.

    Args:
        alpha: Weight of false positives.
        beta: Weight of false negatives.
    """

    def loss(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        y_true, y_pred = _float32(y_true, y_pred)
        found = ops.sum(y_true * y_pred, axis=(1, 2, 3))
        added = ops.sum((1 - y_true) * y_pred, axis=(1, 2, 3))
        missed = ops.sum(y_true * (1 - y_pred), axis=(1, 2, 3))
        return 1 - (found + SMOOTH) / (found + alpha * added + beta * missed + SMOOTH)

    return loss


def focal(gamma: float, alpha: float) -> Loss:
    """Mean cross-entropy in which pixels that are nearly right count little (Lin et al. 2017).

    ``|t − p|^γ`` is the factor of Li et al. 2020 for soft truth, and Lin's ``(1 − p_t)^γ`` where
    the truth is 0 or 1.

    Args:
        gamma: How steeply the weight falls; 0 is cross-entropy.
        alpha: Weight of car, 0 to 1; the background's is 1 − alpha.
    """

    def loss(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        y_true, y_pred = _float32(y_true, y_pred)
        # An exact 0 has no finite gradient where gamma is below 1.
        error = ops.maximum(ops.abs(y_true - y_pred), keras.config.epsilon())
        balance = alpha * y_true + (1 - alpha) * (1 - y_true)
        entropy = ops.binary_crossentropy(y_true, y_pred)
        return ops.mean(balance * ops.power(error, gamma) * entropy, axis=(1, 2, 3))

    return loss


def lovasz(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Lovász extension of the Jaccard loss, of the errors ``|t − p|`` (Berman et al. 2018).

    The paper's Lovász-softmax for the one class that there is, since networks here end in
    probabilities; its hinge takes logits. Where all predictions are 0 or 1, it is `jaccard`.

    With errors in falling order, ``I_i = Σt + 1 − Σ_{j≤i} t_j`` and
    ``U_i = Σt + 1 + Σ_{j≤i} (1 − t_j)``, an error's weight is ``I_{i−1}/U_{i−1} − I_i/U_i``. It is
    computed as ``(t_i·U_{i−1} + (1 − t_i)·I_{i−1}) / (U_{i−1}·U_i)``, which is the same without
    the difference of two nearly equal numbers.
    """
    y_true, y_pred = _float32(y_true, y_pred)
    truth = ops.reshape(y_true, (ops.shape(y_true)[0], -1))
    error = ops.abs(truth - ops.reshape(y_pred, ops.shape(truth)))
    order = ops.argsort(-error, axis=-1)
    error = ops.take_along_axis(error, order, axis=-1)
    truth = ops.take_along_axis(truth, order, axis=-1)
    area = ops.sum(truth, axis=-1, keepdims=True) + SMOOTH
    intersection = ops.maximum(area - ops.cumsum(truth, axis=-1), SMOOTH)
    union = area + ops.cumsum(1 - truth, axis=-1)
    intersection_before = intersection + truth
    union_before = union - (1 - truth)
    weight = (truth * union_before + (1 - truth) * intersection_before) / (union_before * union)
    return ops.sum(error * weight, axis=-1)


LOSSES: dict[str, Callable[[Training], Loss]] = {
    "bce_dice": lambda _: bce_dice,
    "border_bce_dice": lambda given: border_bce_dice(given.border_kernel, given.border_weight),
    "dice": lambda _: dice,
    "jaccard": lambda _: jaccard,
    "focal": lambda given: focal(given.focal_gamma, given.focal_alpha),
    "tversky": lambda given: tversky(given.tversky_alpha, given.tversky_beta),
    "lovasz": lambda _: lovasz,
}
"""Losses by name, from the parameters that they take. `parameters.Training` lists the names, too,
so that a wrong one is found before Keras is imported."""


def build_loss(settings: Training) -> Loss:
    """Pick a loss by its name, ``training.loss``, with the parameters that it takes."""
    return over_known_pixels(LOSSES[settings.loss](settings))


def over_known_pixels(measure: Loss) -> Loss:
    """Have a loss or metric leave out what the truth's second channel, if it has one, ignores.

    There both truth and prediction become 0, which no loss nor Dice counts, and which has no
    gradient.

    Args:
        measure: Takes truth and prediction (batch, height, width, 1).

    Returns:
        The same for a truth (batch, height, width, 1 or 2).
    """

    @functools.wraps(measure)
    def of_known(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        if y_true.shape[-1] == 1:
            return measure(y_true, y_pred)
        y_true, y_pred = _float32(y_true, y_pred)
        known = 1 - y_true[..., 1:]
        return measure(y_true[..., :1] * known, y_pred * known)

    return of_known


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
