"""DeconvNet (Noh, Hong & Han 2015, arXiv 1505.04366).

VGG-16 down to one pixel of 4096 channels, and back by unpooling, with the positions of the
encoder's maxima, and deconvolution (section 3).
"""

from functools import partial
from typing import Annotated

import keras
from keras import layers
from pydantic import Field, PositiveFloat

from car_segmentation.networks.blocks import (
    Momentum,
    bn_relu,
    conv_bn_relu,
    mirrored,
    photo_input,
    probability,
    scale_to_unit_range,
    scaled,
    vgg16_filters,
)
from car_segmentation.networks.max_unpooling import MaxPoolingWithPositions, Unpooling

FC_FILTERS = 4096
"""Channels of fc6 and fc7."""


def deconvnet(
    height: int,
    width: int,
    width_multiplier: PositiveFloat = 1.0,
    body_size: Annotated[int, Field(ge=32, multiple_of=32)] = 224,
    batch_norm_momentum: Momentum = 0.99,
) -> keras.Model:
    """Build DeconvNet.

    Layers are those of the authors' ``stage_2_train.prototxt``, batch normalisation after fc6, fc7
    and fc6-deconv included. Left open or done otherwise here: one output with a sigmoid instead of
    a softmax over classes; the whole photo goes in at once, not object proposals; all weights start
    as in He et al. 2015 (the authors take VGG-16 from ImageNet, and small Gaussians for the
    decoder; normalisation undoes the scale).

    At the bottleneck, batch normalisation sees one pixel per photo: of two photos in a batch it
    leaves no more than which is larger, and of a single one nothing. Give it eight or more, as the
    authors' file does.

    Args:
        height: Photo height in pixels; any size (resized inside, see ``body_size``).
        width: Photo width in pixels.
        width_multiplier: Times the channels of every layer; 1 is the paper's.
        body_size: Side in pixels of the square to which photos are resized inside, and from which
            scores are resized back, bilinearly; the paper's is 224. The bottleneck's kernels have
            a side of ``body_size / 32``.
        batch_norm_momentum: Memory of batch normalisation's moving statistics.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1) that a pixel is car.
    """
    block = partial(conv_bn_relu, momentum=batch_norm_momentum, kernel_initializer="he_normal")
    deblock = partial(_deconv_bn_relu, momentum=batch_norm_momentum)
    encoder = vgg16_filters(width_multiplier)
    bottleneck = scaled(FC_FILTERS, width_multiplier)
    side = body_size // 2 ** len(encoder)
    photo = photo_input(height, width)
    x = scale_to_unit_range(photo)
    x = layers.Resizing(body_size, body_size, antialias=True, name="to_body_size")(x)

    positions = []
    for level, filters in enumerate(encoder, start=1):
        for i, channels in enumerate(filters, start=1):
            x = block(x, channels, f"encoder{level}_{i}")
        x, position = MaxPoolingWithPositions(name=f"encoder{level}_pool")(x)
        positions.append(position)

    for name, kernel in (("fc6", side), ("fc7", 1)):
        x = layers.Conv2D(bottleneck, kernel, kernel_initializer="he_normal", name=f"{name}_conv")(
            x
        )
        x = bn_relu(x, name, batch_norm_momentum)
    x = deblock(x, encoder[-1][-1], "fc6_deconv", kernel=side, padding="valid")

    for level, filters in reversed(list(enumerate(mirrored(encoder), start=1))):
        x = Unpooling(name=f"decoder{level}_unpool")([x, positions.pop()])
        for i, channels in enumerate(filters, start=1):
            x = deblock(x, channels, f"decoder{level}_{i}")

    score = layers.Conv2D(1, 1, dtype="float32", name="classifier")(x)
    score = layers.Resizing(height, width, dtype="float32", name="to_photo_size")(score)
    return keras.Model(photo, probability(score), name="deconvnet")


def _deconv_bn_relu(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    momentum: float,
    kernel: int = 3,
    padding: str = "same",
) -> keras.KerasTensor:
    deconvolution = layers.Conv2DTranspose(
        filters, kernel, padding=padding, kernel_initializer="he_normal", name=f"{name}_deconv"
    )
    return bn_relu(deconvolution(x), name, momentum)
