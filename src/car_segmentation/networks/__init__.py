"""The networks, one file per architecture, picked by name with `build_network`."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from pydantic import TypeAdapter, ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.networks.deconvnet import deconvnet
from car_segmentation.networks.fcn import fcn8s, fcn16s, fcn32s
from car_segmentation.networks.model_check import read_keras_file
from car_segmentation.networks.segnet import segnet
from car_segmentation.networks.segnet_unet import segnet_unet
from car_segmentation.networks.unet import unet
from car_segmentation.parameters.messages import current_name

logger = logging.getLogger(__name__)

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "deconvnet": deconvnet,
    "fcn16s": fcn16s,
    "fcn32s": fcn32s,
    "fcn8s": fcn8s,
    "segnet": segnet,
    "segnet_unet": segnet_unet,
    "unet": unet,
}


def build_network(architecture: str, height: int, width: int, **options: Any) -> keras.Model:
    """Build an untrained network by its name.

    Args:
        architecture: A key of `ARCHITECTURES`, or the dotted path of a builder elsewhere.
        height: Photo height in pixels.
        width: Photo width in pixels.
        **options: Passed on to the architecture's builder.

    Returns:
        A model from uint8 photos (batch, height, width, 3) to float32 probabilities
        (batch, height, width, 1).

    Raises:
        UserError: See `check_options`.
    """
    check_options(architecture, options)
    return _builder(architecture)(height, width, **options)


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
        "multiples of 64, or, for deep networks, of 256; or take segnet_unet or unet, whose layers "
        "are not made for one size."
    )


def read_model(path: Path) -> keras.Model:
    """Read a ``.keras`` file, checked to be a model of this project: see `read_keras_file`.

    It is here because importing the networks has registered their layers with Keras.
    """
    return read_keras_file(path)


def check_options(architecture: str, options: Mapping[str, Any]) -> None:
    """Check an architecture's options without building it.

    Raises:
        UserError: If the architecture is unknown, or an option is unknown to it or of a wrong
            type; the message lists what is known.
    """
    builder = _builder(architecture)
    known = dict(list(inspect.signature(builder).parameters.items())[2:])
    for name, value in options.items():
        new_name = current_name(f"network.{name}")
        if name not in known and new_name is not None:
            raise UserError(f"network.{name}: is called {new_name} now.")
        if name not in known:
            raise UserError(
                f"network.{name}: {architecture} has no such option; it has: {', '.join(known)}."
            )
        try:
            TypeAdapter(known[name].annotation).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise UserError(f"network.{name} = {value!r}: {reason.lower()}.") from None


def _builder(architecture: str) -> Callable[..., keras.Model]:
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    module, _, function = architecture.rpartition(".")
    if not module:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(
            f"network.architecture is '{architecture}'; choose one of: {known}; or give a function "
            "of your own as module.function."
        )
    try:
        return cast(Callable[..., keras.Model], getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise UserError(f"network.architecture is '{architecture}': {error}.") from error
