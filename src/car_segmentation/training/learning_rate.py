"""Learning-rate schedules: the learning rate of each step, a function of how far a training is."""

import math

import numpy as np
from keras import ops

from car_segmentation.parameters import Training


def learning_rate(settings: Training, step: int, steps: int, reductions: int = 0) -> float:
    """The learning rate of a step.

    Args:
        settings: The schedule and its numbers.
        step: How many batches were trained before, from 0.
        steps: How many batches the whole training has.
        reductions: How often a plateau has lowered the rate.
    """
    if settings.schedule == "cosine":
        return _warm_cosine(
            settings.learning_rate, step, steps, int(settings.warmup_fraction * steps)
        )
    if settings.schedule == "plateau":
        return settings.learning_rate * settings.plateau_factor**reductions
    return settings.learning_rate


def _warm_cosine(peak: float, step: int, steps: int, warmup: int) -> float:
    """A linear rise to ``peak``, then half a cosine down to 0 (Loshchilov and Hutter 2017).

    In float32 and with the backend's cosine, as ``keras.optimizers.schedules.CosineDecay`` computes
    it, so that both give the same bits.
    """
    if step < warmup:
        return float(np.float32(peak) * (np.float32(step) / np.float32(warmup)))
    decayed = np.float32(step - warmup) / np.float32(max(1, steps - warmup))
    cosine = ops.convert_to_numpy(ops.cos(ops.convert_to_tensor(np.float32(math.pi) * decayed)))
    return float(np.float32(peak) * (np.float32(0.5) * (np.float32(1) + cosine)))
