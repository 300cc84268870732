"""The networks by name: the registry that `network.architecture` picks from."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

import keras
from pydantic import TypeAdapter, ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.networks.deconvnet import deconvnet
from car_segmentation.networks.encoders import check_weights
from car_segmentation.networks.fcn import fcn8s, fcn16s, fcn32s
from car_segmentation.networks.segnet import segnet
from car_segmentation.networks.segnet_unet import segnet_unet
from car_segmentation.networks.unet import unet
from car_segmentation.parameters.messages import current_name

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


def check_options(architecture: str, options: Mapping[str, Any]) -> None:
    """Check an architecture's options without building it.

    Raises:
        UserError: If the architecture is unknown, an option is unknown to it or of a wrong type
            (the message lists what is known), or an encoder's weights are not there.
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
    if builder is unet:
        check_weights(options.get("weights"))
    if builder is segnet_unet:
        check_weights(options.get("context_weights"), "context_weights")


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
