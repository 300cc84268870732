"""Building blocks that several networks share. Tensors are (batch, height, width, channels)."""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field

Momentum = Annotated[float, Field(gt=0, lt=1)]
"""Memory of batch normalisation's moving statistics, per step."""

VGG16_FILTERS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""VGG-16's thirteen 3×3 convolutions by block (Simonyan & Zisserman 2015, table 1, D)."""

BATCH_NORM_EPSILON = 1e-4
"""The variance floor in the post's own script (Keras' default is 1e-3)."""


def photo_input(height: int, width: int) -> keras.KerasTensor:
    """An input for RGB photos as they are stored: uint8, 0 to 255."""
    return keras.Input((height, width, 3), dtype="uint8", name="photo")


def scale_to_unit_range(photo: keras.KerasTensor) -> keras.KerasTensor:
    """Map 0…255 to 0…1 inside the network, so that no caller can forget it."""
    return layers.Rescaling(1 / 255, name="scale_to_unit_range")(photo)


def conv_bn_relu(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    momentum: float = 0.99,
    kernel_initializer: str = "glorot_uniform",
) -> keras.KerasTensor:
    """A 3×3 convolution, batch normalisation and ReLU, at the same height and width.

    Args:
        x: (batch, height, width, channels).
        filters: Channels of the result.
        name: Prefix of the layers' names.
        momentum: Memory of batch normalisation's moving statistics, per step.
        kernel_initializer: A name that Keras knows.
    """
    convolution = layers.Conv2D(
        filters, 3, padding="same", kernel_initializer=kernel_initializer, name=f"{name}_conv"
    )
    return bn_relu(convolution(x), name, momentum)


def bn_relu(x: keras.KerasTensor, name: str, momentum: float) -> keras.KerasTensor:
    """Batch normalisation and ReLU; see `conv_bn_relu`."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(
        x
    )
    return layers.ReLU(name=f"{name}_relu")(x)


def probability(score: keras.KerasTensor) -> keras.KerasTensor:
    """Map scores to 0…1, in float32 whatever the precision policy: the loss needs both ends."""
    return layers.Activation("sigmoid", dtype="float32", name="probability")(score)


def scaled(filters: int, width_multiplier: float) -> int:
    """Multiply a number of channels, rounded, and at least one."""
    return max(1, round(filters * width_multiplier))


def vgg16_filters(width_multiplier: float) -> list[tuple[int, ...]]:
    """`VGG16_FILTERS` times the multiplier, outermost block first."""
    return [tuple(scaled(f, width_multiplier) for f in block) for block in VGG16_FILTERS]


def mirrored(blocks: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Channels of a decoder's blocks, outermost first, that undo an encoder's ``blocks``.

    Each has as many convolutions as its encoder block, and the last of them already goes down to
    the channels of the next block out.

    Example:
        >>> mirrored([(64, 64), (128, 128), (256, 256, 256)])
        [(64, 64), (128, 64), (256, 256, 128)]
    """
    handed_on = [blocks[0][0], *(block[-1] for block in blocks[:-1])]
    return [(*block[1:], last) for block, last in zip(blocks, handed_on, strict=True)]


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
    # The precision policy's type would round float32 probabilities.
    return layers.Cropping2D(cropping, dtype=x.dtype, name="crop")(x)
