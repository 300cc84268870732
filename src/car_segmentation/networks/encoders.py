"""Encoders: networks for classification without their classifier, of Keras Applications and others.

They may start from ImageNet's weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
from keras import applications, layers

from car_segmentation.core.errors import UserError
from car_segmentation.networks.efficientnet_lite import efficientnet_lite0

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


def check_weights(weights: str | None, option: str = "weights") -> None:
    """Check that an encoder's weights are there, before any work.

    Args:
        weights: ``imagenet``, the path of a file, or None.
        option: The network's option that names the weights.

    Raises:
        UserError: If ``weights`` is neither ``imagenet`` nor a file.
    """
    if weights not in (None, "imagenet") and not Path(str(weights)).is_file():
        raise UserError(f"network.{option} = {weights!r}: is neither 'imagenet' nor a file.")


def feature_pyramid(
    encoder: EncoderName,
    shape: tuple[int | None, ...],
    weights: str | None,
    batch_norm_momentum: float = 0.99,
    name: str = "encoder",
) -> keras.Model:
    """The encoder as a model from preprocessed photos to its skips and its last features.

    Args:
        encoder: A key of `ENCODERS`.
        shape: Of a photo: height, width and 3.
        weights: ``imagenet``, the path of a file, or None.
        batch_norm_momentum: Memory of batch normalisation's moving statistics, per step.
        name: The model's.

    Returns:
        A model with a feature map for each stride of `Encoder.halving`, then the last one.
    """
    settings = ENCODERS[encoder]
    network = settings.build(include_top=False, weights=weights, input_shape=shape)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    skips = [network.get_layer(at).input for at in settings.halving.values()]
    return keras.Model(network.input, [*skips, network.output], name=name)
