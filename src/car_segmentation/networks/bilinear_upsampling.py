"""Weights with which a transposed convolution interpolates.

This file travels with the model (`serving`): it may import nothing of the project.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="car_segmentation")
class EdgePadding(layers.Layer):
    """Repeat the outermost pixels once: (batch, height + 2, width + 2, channels)."""

    def call(self, x: Any) -> Any:
        """Pad."""
        return ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")


@keras.saving.register_keras_serializable(package="car_segmentation")
class BilinearKernel(keras.initializers.Initializer):
    """A kernel (2f, 2f, 1, 1) with which a transposed convolution of stride f interpolates."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Tents along both axes: 1 at the centre of the kernel, 0 one stride away."""
        factor = shape[0] / 2
        tent = 1 - np.abs(np.arange(shape[0]) + 0.5 - factor) / factor
        return ops.convert_to_tensor(np.outer(tent, tent).reshape(shape), dtype=dtype)
