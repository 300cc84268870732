"""The same weights for photos of several sizes, as a training in stages needs them."""

import logging
from collections.abc import Sequence

import keras
import numpy as np

from car_segmentation.core.errors import UserError

logger = logging.getLogger(__name__)


def for_any_size(network: keras.Model, sizes: Sequence[tuple[int, int]]) -> keras.Model:
    """A network of the same layers, and so the same weights, for photos of several sizes.

    Args:
        network: For photos of one size. Training the result trains it too.
        sizes: Heights and widths that the result must take besides; each is tried.

    Raises:
        UserError: If it does not take one of them.
    """
    try:
        flexible = _with_input(network, None, None)
    except Exception as error:  # Layers raise what they like where they must know a size.
        logger.debug("%s for any size: %s", network.name, error)
        raise UserError(_one_size_only(network)) from None
    # Its own size as well: TensorFlow leaves sizes open only when it has met two.
    for size in [network.input_shape[1:3], *sizes]:
        try:
            shown = flexible.predict_on_batch(np.zeros((1, *size, 3), np.uint8))
        except Exception as error:
            logger.debug("%s for %s: %s", network.name, size, error)
            raise UserError(_not_that_size(network, size)) from None
        if shown.shape[1:3] != size:
            raise UserError(_one_size_only(network))
    return flexible


def _with_input(network: keras.Model, height: int | None, width: int | None) -> keras.Model:
    def same_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        inside = isinstance(layer, keras.Model)  # An encoder knows its input's size too.
        return _with_input(layer, height, width) if inside else layer

    *_, channels = network.input_shape
    photo = keras.Input((height, width, channels), dtype=network.inputs[0].dtype)
    return keras.models.clone_model(network, input_tensors=photo, clone_function=same_layer)


def _one_size_only(network: keras.Model) -> str:
    return (
        f"training.stages: the layers of {network.name} are made for one size of photos. Set "
        "training.stages=[], or take segnet_unet or unet."
    )


def _not_that_size(network: keras.Model, size: tuple[int, int]) -> str:
    _, height, width, _ = network.input_shape
    return (
        f"training.stages: {network.name}, built for photos of {width}×{height}, cannot be trained "
        f"on {size[1]}×{size[0]}. Take a height and a width that differ from those of image by "
        "multiples of 64, or, for deep networks, of 256. If its layers are made for one size, set "
        "training.stages=[]."
    )
