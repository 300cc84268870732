"""U-Net (Ronneberger, Fischer & Brox 2015, arXiv 1505.04597) on an encoder for classification.

Encoders are networks of Keras Applications, and EfficientNet-Lite0; they may start from ImageNet's
weights. The decoder is U-Net's: double the size, concatenate the encoder's features of that size,
two 3×3 convolutions (section 2, figure 1).
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers
from pydantic import PositiveFloat, PositiveInt

from car_segmentation.core.errors import UserError
from car_segmentation.networks.blocks import (
    Momentum,
    conv_bn_relu,
    crop_to,
    pad_to_multiple,
    photo_input,
    probability,
    scaled,
)
from car_segmentation.networks.encoders import (
    ENCODERS,
    STRIDE,
    EncoderName,
    check_weights,
    feature_pyramid,
)


def unet(
    height: int,
    width: int,
    encoder: EncoderName = "resnet50v2",
    weights: str | None = None,
    freeze_encoder: bool = False,
    decoder_filters: Sequence[PositiveInt] = (256, 128, 64, 32, 16),
    width_multiplier: PositiveFloat = 1.0,
    batch_norm_momentum: Momentum = 0.99,
) -> keras.Model:
    """Build a U-Net.

    Left open or done otherwise than in the paper: sizes are doubled by repeating pixels, 3×3
    convolutions keep the size and are followed by batch normalisation, and the decoder is half as
    wide as the paper's, because the encoder brings most of the parameters.

    Args:
        height: Photo height in pixels; any size (padded inside to a multiple of 32).
        width: Photo width in pixels.
        encoder: A key of `ENCODERS`. The preprocessing that it expects is part of the model.
        weights: Of the encoder: ``imagenet`` (downloaded once by Keras, except those of
            ``efficientnet_lite0``, which are installed), the path of a file with weights of the
            Keras Applications network without its top (``efficientnet_lite0``: a state dict), or
            none.
        freeze_encoder: Whether training leaves the encoder alone, moving statistics included.
        decoder_filters: Channels of the decoder's five blocks, deepest first.
        width_multiplier: Times the decoder's channels; the encoder's go with its name.
        batch_norm_momentum: Memory of batch normalisation's moving statistics, also the encoder's.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1) that a pixel is car.

    Raises:
        UserError: If there are no such ``weights`` (see `check_weights`) or they do not fit, or
            there are not five ``decoder_filters``.
    """
    if len(decoder_filters) != STRIDE.bit_length() - 1:
        raise UserError(f"network.decoder_filters = {list(decoder_filters)!r}: needs five numbers.")
    check_weights(weights)
    settings = ENCODERS[encoder]
    photo = photo_input(height, width)
    x = layers.Rescaling(settings.scale, settings.offset, name="preprocess")(photo)
    x = pad_to_multiple(x, STRIDE)

    pyramid = feature_pyramid(encoder, x.shape[1:], weights, batch_norm_momentum)
    pyramid.trainable = not freeze_encoder
    *features, x = pyramid(x)
    skips = dict(zip(settings.halving, features, strict=True))

    block = partial(conv_bn_relu, momentum=batch_norm_momentum)
    stride = STRIDE
    for filters in decoder_filters:
        stride //= 2
        channels = scaled(filters, width_multiplier)
        x = layers.UpSampling2D(name=f"decoder{stride}_upsample")(x)
        if stride in skips:
            x = layers.Concatenate(name=f"decoder{stride}_concat")([skips[stride], x])
        x = block(x, channels, f"decoder{stride}_1")
        x = block(x, channels, f"decoder{stride}_2")

    score = layers.Conv2D(1, 1, dtype="float32", name="classifier")(x)
    return keras.Model(photo, crop_to(probability(score), height, width), name="unet")
