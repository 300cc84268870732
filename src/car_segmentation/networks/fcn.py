"""Fully convolutional networks (Shelhamer, Long & Darrell 2016, arXiv 1605.06211).

VGG-16 with its fully connected layers turned into convolutions gives scores at a 32nd of the
photo's size. FCN-32s enlarges these at once; FCN-16s and FCN-8s first add the scores of ``pool4``,
and then of ``pool3`` (section 4.3, figure 3).
"""

from functools import partial
from typing import Annotated

import keras
from keras import layers
from pydantic import Field, PositiveFloat

from car_segmentation.networks.bilinear_upsampling import BilinearKernel, EdgePadding
from car_segmentation.networks.blocks import (
    crop_to,
    pad_to_multiple,
    photo_input,
    probability,
    scale_to_unit_range,
    scaled,
    vgg16_filters,
)

FC_FILTERS = 4096
"""Channels of fc6 and fc7."""

FUSED_POOLS = {32: (), 16: (4,), 8: (4, 3)}
"""Which pooling layers' scores are added, by the stride of the last upsampling."""


def _fcn(
    stride: int,
    height: int,
    width: int,
    width_multiplier: PositiveFloat = 1.0,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
    learn_final_upsampling: bool = False,
) -> keras.Model:
    """Build an FCN.

    Layers are those of the authors' ``voc-fcn*/net.py``. As in the paper, scoring layers start at
    zero, upsampling starts as bilinear interpolation, and the last upsampling stays that (section
    4). Left open or done otherwise here:

    - One output with a sigmoid instead of a softmax over classes.
    - The authors pad photos by 100 pixels and crop scores by offsets; here every convolution keeps
      its size, so that all maps are aligned, and scores are repeated beyond the edge before
      upsampling.
    - All is trained at once, from He et al.'s initial weights, not stage by stage from ImageNet's;
      the constants by which the authors shrink the skips for that (0.01 and 0.0001) make up for
      VGG's large activations, and are left out.

    Args:
        stride: Of the last upsampling, in pixels; a key of `FUSED_POOLS`.
        height: Photo height in pixels; any size (padded inside to a multiple of 32).
        width: Photo width in pixels.
        width_multiplier: Times the channels of every layer; 1 is the paper's.
        dropout: Fraction of fc6's and fc7's outputs that training drops.
        learn_final_upsampling: Whether training may change the last upsampling too (section 3.3);
            it is a transposed convolution then, and a resize otherwise.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1) that a pixel is car.
    """
    photo = photo_input(height, width)
    x = scale_to_unit_range(photo)
    x = pad_to_multiple(x, 32)

    pools = {}
    for level, filters in enumerate(vgg16_filters(width_multiplier), start=1):
        for i, channels in enumerate(filters, start=1):
            x = _conv_relu(x, channels, 3, f"conv{level}_{i}")
        x = pools[level] = layers.MaxPooling2D(name=f"pool{level}")(x)
    for name, kernel in (("fc6", 7), ("fc7", 1)):
        x = _conv_relu(x, scaled(FC_FILTERS, width_multiplier), kernel, name)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)

    score = _score(x, "score_fc7")
    for level in FUSED_POOLS[stride]:
        score = upsample(score, 2, f"upsample_to_pool{level}")
        score = layers.Add(name=f"fuse_pool{level}", dtype="float32")(
            [score, _score(pools[level], f"score_pool{level}")]
        )
    if learn_final_upsampling:
        score = upsample(score, stride, "upsample")
    else:
        # Where it stays interpolation, the same by a resize: the gradient of a transposed
        # convolution with FCN-32s' kernel of 64×64 takes TensorFlow 54 GB on a CPU.
        score = layers.UpSampling2D(
            stride, interpolation="bilinear", dtype="float32", name="upsample"
        )(score)
    return keras.Model(photo, crop_to(probability(score), height, width), name=f"fcn{stride}s")


fcn32s = partial(_fcn, 32)
"""FCN-32s; options as in `_fcn`."""

fcn16s = partial(_fcn, 16)
"""FCN-16s; options as in `_fcn`."""

fcn8s = partial(_fcn, 8)
"""FCN-8s; options as in `_fcn`."""


def upsample(score: keras.KerasTensor, factor: int, name: str) -> keras.KerasTensor:
    """Enlarge scores by a transposed convolution that starts as bilinear interpolation.

    Args:
        score: (batch, height, width, 1).
        factor: How many times larger; even.
        name: Of the transposed convolution, and prefix of the layers around it.

    Returns:
        float32 (batch, factor · height, factor · width, 1). Before training it equals
        ``keras.ops.image.resize(…, interpolation="bilinear")``, edges included.
    """
    x = EdgePadding(name=f"{name}_pad", dtype="float32")(score)
    x = layers.Conv2DTranspose(
        1,
        2 * factor,
        factor,
        padding="same",
        use_bias=False,
        kernel_initializer=BilinearKernel(),
        dtype="float32",
        name=name,
    )(x)
    return layers.Cropping2D(factor, name=f"{name}_crop", dtype="float32")(x)


def _conv_relu(x: keras.KerasTensor, filters: int, kernel: int, name: str) -> keras.KerasTensor:
    return layers.Conv2D(
        filters,
        kernel,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _score(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    # At zero a skip does not disturb what the deeper layers say (section 4).
    return layers.Conv2D(1, 1, kernel_initializer="zeros", dtype="float32", name=name)(x)
