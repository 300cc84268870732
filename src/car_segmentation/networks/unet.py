"""U-Net (Ronneberger, Fischer & Brox 2015, arXiv 1505.04597) on an encoder for classification.

Encoders are networks of Keras Applications, and EfficientNet-Lite0; they may start from ImageNet's
weights. The decoder is U-Net's: double the size, concatenate the encoder's features of that size,
two 3×3 convolutions (section 2, figure 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import keras
from keras import applications, layers
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
from car_segmentation.networks.efficientnet_lite import efficientnet_lite0, imagenet_file

STRIDE = 32
"""Photo size divided by the size of the last features, for every encoder."""


@dataclass(frozen=True)
class Encoder:
    """A network without its classifier.

    Attributes:
        build: Its builder, called as those of Keras Applications.
        halving: By stride, a layer whose input is the last map of that stride: a skip.
        scale: Times the photo's values, 0 to 255, before `build`'s network sees them.
        offset: Added after that.
    """

    build: Callable[..., keras.Model]
    halving: dict[int, str]
    scale: float = 1.0
    offset: float = 0.0


EFFICIENTNET_V2_HALVING = {
    2: "block2a_expand_conv",
    4: "block3a_expand_conv",
    8: "block4a_expand_conv",
    16: "block6a_expand_conv",
}

# Those without a scale normalise photos of 0 to 255 themselves.
ENCODERS = {
    "efficientnet_lite0": Encoder(
        efficientnet_lite0,
        {
            2: "block1_expand_conv",
            4: "block3_expand_conv",
            8: "block5_expand_conv",
            16: "block11_expand_conv",
        },
        scale=1 / 128,
        offset=-127 / 128,
    ),
    "mobilenetv3_small": Encoder(
        applications.MobileNetV3Small,
        {
            2: "expanded_conv_depthwise_pad",
            4: "expanded_conv_1_expand",
            8: "expanded_conv_3_expand",
            16: "expanded_conv_8_expand",
        },
    ),
    "mobilenetv3_large": Encoder(
        applications.MobileNetV3Large,
        {
            2: "expanded_conv_1_expand",
            4: "expanded_conv_3_expand",
            8: "expanded_conv_6_expand",
            16: "expanded_conv_12_expand",
        },
    ),
    "efficientnetv2_b0": Encoder(applications.EfficientNetV2B0, EFFICIENTNET_V2_HALVING),
    "efficientnetv2_s": Encoder(applications.EfficientNetV2S, EFFICIENTNET_V2_HALVING),
    "resnet50v2": Encoder(
        applications.ResNet50V2,
        {
            2: "pool1_pad",
            4: "conv2_block3_1_conv",
            8: "conv3_block4_1_conv",
            16: "conv4_block6_1_conv",
        },
        scale=1 / 127.5,
        offset=-1.0,
    ),
    # Begins with a stride of 4, so that there is no skip at half size.
    "convnext_tiny": Encoder(
        applications.ConvNeXtTiny,
        {
            4: "convnext_tiny_downsampling_block_0",
            8: "convnext_tiny_downsampling_block_1",
            16: "convnext_tiny_downsampling_block_2",
        },
    ),
}

EncoderName = Literal[
    "efficientnet_lite0",
    "mobilenetv3_small",
    "mobilenetv3_large",
    "efficientnetv2_b0",
    "efficientnetv2_s",
    "resnet50v2",
    "convnext_tiny",
]


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
        weights: Of the encoder: ``imagenet`` (downloaded once by Keras; those of
            ``efficientnet_lite0`` come with the extra ``pretrained``), the path of a file with
            weights of the Keras Applications network without its top (``efficientnet_lite0``: a
            state dict), or none.
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
    check_weights(encoder, weights)
    settings = ENCODERS[encoder]
    photo = photo_input(height, width)
    x = layers.Rescaling(settings.scale, settings.offset, name="preprocess")(photo)
    x = pad_to_multiple(x, STRIDE)

    pyramid = _feature_pyramid(settings, x.shape[1:], weights, batch_norm_momentum)
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


def check_weights(encoder: EncoderName = "resnet50v2", weights: str | None = None) -> None:
    """Check that an encoder's weights are there, before any work.

    Raises:
        UserError: If ``weights`` is neither ``imagenet`` nor a file, or the package that brings
            them is not installed.
    """
    if weights not in (None, "imagenet") and not Path(str(weights)).is_file():
        raise UserError(f"network.weights = {weights!r}: is neither 'imagenet' nor a file.")
    if encoder == "efficientnet_lite0" and weights == "imagenet":
        imagenet_file()


def _feature_pyramid(
    settings: Encoder, shape: tuple[int, ...], weights: str | None, batch_norm_momentum: float
) -> keras.Model:
    """The encoder as a model from photos to its skips and its last features."""
    network = settings.build(include_top=False, weights=weights, input_shape=shape)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    skips = [network.get_layer(name).input for name in settings.halving.values()]
    return keras.Model(network.input, [*skips, network.output], name="encoder")
