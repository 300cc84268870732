"""SegNet (Badrinarayanan, Kendall & Cipolla 2015, arXiv 1511.00561).

VGG-16's thirteen convolutions, each with batch normalisation and ReLU, as the encoder; a mirrored
decoder that unpools with the positions of the encoder's maxima (section 3, figure 3).
"""

from functools import partial

import keras
from keras import layers
from pydantic import PositiveFloat

from car_segmentation.networks.blocks import (
    Momentum,
    conv_bn_relu,
    crop_to,
    mirrored,
    pad_to_multiple,
    photo_input,
    probability,
    scale_to_unit_range,
    vgg16_filters,
)
from car_segmentation.networks.max_unpooling import MaxPoolingWithPositions, Unpooling


def segnet(
    height: int,
    width: int,
    width_multiplier: PositiveFloat = 1.0,
    batch_norm_momentum: Momentum = 0.99,
) -> keras.Model:
    """Build SegNet.

    Layers are those of the authors' ``segnet_train.prototxt``: every convolution has a bias, and
    the thirteenth of the decoder is the classifier, a 3×3 convolution without normalisation.
    Weights start as in He et al. 2015 (section 3.2). Left open or done otherwise here: one output
    with a sigmoid instead of a softmax over classes; photos are scaled to 0…1 (the paper
    normalises local contrast, the authors' file for this network does not); nothing comes from
    ImageNet.

    Args:
        height: Photo height in pixels; any size (padded inside to a multiple of 32).
        width: Photo width in pixels.
        width_multiplier: Times the channels of every layer; 1 is the paper's.
        batch_norm_momentum: Memory of batch normalisation's moving statistics.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1) that a pixel is car.
    """
    block = partial(conv_bn_relu, momentum=batch_norm_momentum, kernel_initializer="he_normal")
    encoder = vgg16_filters(width_multiplier)
    photo = photo_input(height, width)
    x = scale_to_unit_range(photo)
    x = pad_to_multiple(x, 2 ** len(encoder))

    positions = []
    for level, filters in enumerate(encoder, start=1):
        for i, channels in enumerate(filters, start=1):
            x = block(x, channels, f"encoder{level}_{i}")
        x, position = MaxPoolingWithPositions(name=f"encoder{level}_pool")(x)
        positions.append(position)

    outermost, *deeper = mirrored(encoder)
    decoder = [outermost[:-1], *deeper]  # The classifier stands for the last convolution.
    for level, filters in reversed(list(enumerate(decoder, start=1))):
        x = Unpooling(name=f"decoder{level}_unpool")([x, positions.pop()])
        for i, channels in enumerate(filters, start=1):
            x = block(x, channels, f"decoder{level}_{i}")

    score = layers.Conv2D(
        1, 3, padding="same", kernel_initializer="he_normal", dtype="float32", name="classifier"
    )(x)
    return keras.Model(photo, crop_to(probability(score), height, width), name="segnet")
