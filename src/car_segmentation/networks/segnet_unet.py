"""The network of the post: SegNet's depth with U-Net's skips.

Seven encoder blocks, two centre convolutions, seven decoder blocks that each concatenate the
features from before the matching pooling, and one 1×1 classifier: the post's "7 + 2 + 7" and
the filters of the Kaggle baseline that it builds on (petrosgk, ``u_net.py``, 1024 variant).

A context path may join it: what a network knows that has learnt from ImageNet's photos, for
datasets of few cars (Yu et al. 2018, BiSeNet, arXiv 1808.00897, section 3.2).
"""

from collections.abc import Mapping, Sequence
from functools import partial

import keras
from keras import layers
from pydantic import PositiveInt

from car_segmentation.networks.blocks import (
    Momentum,
    bn_relu,
    conv_bn_relu,
    crop_to,
    pad_to_multiple,
    photo_input,
    scale_to_unit_range,
)
from car_segmentation.networks.encoders import ENCODERS, STRIDE, EncoderName, feature_pyramid
from car_segmentation.networks.folding import fold_batch_norm

CONTEXT: EncoderName = "efficientnet_lite0"
"""The context path's encoder."""


def segnet_unet(
    height: int,
    width: int,
    filters: Sequence[PositiveInt] = (8, 16, 32, 64, 128, 256, 512),
    centre_filters: PositiveInt = 1024,
    space_to_depth: PositiveInt = 1,
    batch_norm_momentum: Momentum = 0.99,
    context_weights: str | None = None,
) -> keras.Model:
    """Build the post's encoder-decoder.

    Args:
        height: Photo height in pixels; any size (padded inside to a multiple of
            ``space_to_depth · 2 ** len(filters)``).
        width: Photo width in pixels.
        filters: Channels of each encoder block, outermost first; the decoder mirrors them.
        centre_filters: Channels of the two centre convolutions.
        space_to_depth: Side of the square of pixels that the first convolution moves into
            channels, and the classifier back. 1 is the post's network. With 2 the body runs at
            half the photo's size for a quarter of the cost, and the output keeps the full size
            (Shi et al. 2016, section 3).
        batch_norm_momentum: Memory of batch normalisation's moving statistics. Keras' 0.99 needs
            some 500 steps to forget where it began; trainings with fewer need less.
        context_weights: Of `CONTEXT`: ``imagenet``, or the path of a state dict. It sees the photo
            at the size of the body, and is not trained; its features join those of their size in
            the centre and the decoder. None: there is no context path, as in the post.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1) that a pixel is car.

    Raises:
        UserError: If ``context_weights`` do not fit.
    """
    block = partial(conv_bn_relu, momentum=batch_norm_momentum)
    photo = photo_input(height, width)
    x = scale_to_unit_range(photo)
    x = pad_to_multiple(x, space_to_depth * 2 ** len(filters))
    context = {}
    if context_weights is not None:
        of_body = {2**level: each for level, each in enumerate([*filters, centre_filters])}
        context = _context(x, space_to_depth, context_weights, of_body, batch_norm_momentum)
    if space_to_depth > 1:
        # The same function as space to depth, then a 3×3 convolution, without a custom layer.
        x = layers.Conv2D(
            filters[0],
            3 * space_to_depth,
            space_to_depth,
            padding="same",
            use_bias=False,
            name="space_to_depth",
        )(x)

    skips = []
    for level, channels in enumerate(filters, start=1):
        x = block(x, channels, f"encoder{level}_1")
        x = block(x, channels, f"encoder{level}_2")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"encoder{level}_pool")(x)

    stride = 2 ** len(filters)
    if stride in context:
        x = layers.Concatenate(name="centre_concat")([x, context[stride]])
    x = block(x, centre_filters, "centre_1")
    x = block(x, centre_filters, "centre_2")

    for level, channels in reversed(list(enumerate(filters, start=1))):
        x = layers.UpSampling2D(name=f"decoder{level}_upsample")(x)
        maps = [skips.pop(), x]
        stride //= 2
        if stride in context:
            maps.append(context[stride])
        x = layers.Concatenate(name=f"decoder{level}_concat")(maps)
        for i in (1, 2, 3):
            x = block(x, channels, f"decoder{level}_{i}")

    # float32 whatever the precision policy: the loss needs probabilities near 0 and 1.
    if space_to_depth > 1:
        classifier = layers.Conv2DTranspose(
            1, space_to_depth, space_to_depth, dtype="float32", name="depth_to_space"
        )
    else:
        classifier = layers.Conv2D(1, 1, dtype="float32", name="classifier")
    x = layers.Activation("sigmoid", dtype="float32", name="probability")(classifier(x))
    return keras.Model(photo, crop_to(x, height, width), name="segnet_unet")


def _context(
    x: keras.KerasTensor,
    space_to_depth: int,
    weights: str,
    channels: Mapping[int, int],
    momentum: float,
) -> dict[int, keras.KerasTensor]:
    """The context path's features, by their stride in the body.

    Args:
        x: Photos, 0 to 1.
        space_to_depth: See `segnet_unet`.
        weights: Of `CONTEXT`.
        channels: Of the body, by stride; features of other strides are left out. Each gets half as
            many channels, by a 1×1 convolution.
        momentum: Of batch normalisation.
    """
    settings = ENCODERS[CONTEXT]
    preprocess = layers.Rescaling(255 * settings.scale, settings.offset, name="context_preprocess")
    photo = preprocess(x)
    if space_to_depth > 1:
        photo = layers.AveragePooling2D(space_to_depth, name="context_shrink")(photo)
    encoder = fold_batch_norm(feature_pyramid(CONTEXT, photo.shape[1:], weights, name="context"))
    encoder.trainable = False
    features = {}
    for stride, maps in zip([*settings.halving, STRIDE], encoder(photo), strict=True):
        if (
            stride > 2 and stride in channels
        ):  # Finer ones are but edges, which the body sees itself.
            convolution = layers.Conv2D(channels[stride] // 2, 1, name=f"context{stride}_conv")
            features[stride] = bn_relu(convolution(maps), f"context{stride}", momentum)
    return features
