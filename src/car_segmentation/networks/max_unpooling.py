"""Max-pooling that remembers where each maximum was, and its reverse.

Tensors are (batch, height, width, channels). A position is a number in a 2×2 window, in reading
order: 0 top left, 1 top right, 2 bottom left, 3 bottom right. Among equal maxima the first wins,
so that results do not depend on the backend (``argmax`` promises nothing on a GPU).

This file travels with the model (`serving`): it may import nothing of the project.
"""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="car_segmentation")
class MaxPoolingWithPositions(layers.Layer):
    """2×2 max-pooling, and the position of each maximum in its window.

    Input: float (batch, height, width, channels), height and width even.
    Output: the maxima, (batch, height / 2, width / 2, channels), and their positions, uint8 0 to 3
    of the same shape.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Refuse what 2×2 windows do not cover."""
        height, width = input_shape[1:3]
        if height is None or width is None or height % 2 or width % 2:
            raise ValueError(f"Height and width must be known and even, not {height} and {width}.")
        super().build(input_shape)

    def call(self, x: Any) -> tuple[Any, Any]:
        """Pool."""
        maxima = ops.max_pool(x, 2, 2)
        _, height, width, channels = x.shape
        windows = ops.reshape(ops.stop_gradient(x), (-1, height // 2, 2, width // 2, 2, channels))
        position = ops.full_like(maxima, 3, dtype="uint8")
        for candidate in (2, 1, 0):
            row, column = divmod(candidate, 2)
            position = ops.where(
                windows[:, :, row, :, column] == maxima, ops.cast(candidate, "uint8"), position
            )
        return maxima, position


@keras.saving.register_keras_serializable(package="car_segmentation")
class Unpooling(layers.Layer):
    """Put values back where `MaxPoolingWithPositions` found its maxima, among zeros.

    Input: values, float (batch, height, width, channels), and positions of the same shape.
    Output: float (batch, 2 · height, 2 · width, channels).
    """

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Unpool."""
        values, positions = inputs
        _, height, width, channels = values.shape
        zero = ops.zeros((), values.dtype)
        # Four stacked maps: half the time of one comparison of the whole window by broadcasting.
        corners = [ops.where(positions == corner, values, zero) for corner in range(4)]
        rows = [ops.stack(corners[:2], axis=3), ops.stack(corners[2:], axis=3)]
        return ops.reshape(ops.stack(rows, axis=2), (-1, 2 * height, 2 * width, channels))
