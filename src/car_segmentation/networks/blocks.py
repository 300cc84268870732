"""Building blocks that several networks share. Tensors are (batch, height, width, channels)."""

import keras
from keras import layers

BATCH_NORM_EPSILON = 1e-4
"""The variance floor in the post's own script (Keras' default is 1e-3)."""


def photo_input(height: int, width: int) -> keras.KerasTensor:
    """An input for RGB photos as they are stored: uint8, 0 to 255."""
    return keras.Input((height, width, 3), dtype="uint8", name="photo")


def scale_to_unit_range(photo: keras.KerasTensor) -> keras.KerasTensor:
    """Map 0…255 to 0…1 inside the network, so that no caller can forget it."""
    return layers.Rescaling(1 / 255, name="scale_to_unit_range")(photo)


def conv_bn_relu(
    x: keras.KerasTensor, filters: int, name: str, momentum: float = 0.99
) -> keras.KerasTensor:
    """A 3×3 convolution, batch normalisation and ReLU, at the same height and width.

    Args:
        x: (batch, height, width, channels).
        filters: Channels of the result.
        name: Prefix of the layers' names.
        momentum: Memory of batch normalisation's moving statistics, per step.
    """
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(
        x
    )
    return layers.ReLU(name=f"{name}_relu")(x)


def pad_to_multiple(x: keras.KerasTensor, multiple: int) -> keras.KerasTensor:
    """Zero-pad at the bottom and right until height and width divide by ``multiple``."""
    height, width = x.shape[1:3]
    padding = ((0, -height % multiple), (0, -width % multiple))
    if padding == ((0, 0), (0, 0)):
        return x
    return layers.ZeroPadding2D(padding, name="pad")(x)


def crop_to(x: keras.KerasTensor, height: int, width: int) -> keras.KerasTensor:
    """Undo `pad_to_multiple`: keep the top left ``height`` × ``width``."""
    cropping = ((0, x.shape[1] - height), (0, x.shape[2] - width))
    if cropping == ((0, 0), (0, 0)):
        return x
    return layers.Cropping2D(cropping, name="crop")(x)
