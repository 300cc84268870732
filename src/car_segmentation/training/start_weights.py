"""Start a training from the weights of a trained model."""

from collections.abc import Iterator
from typing import Any

import keras

from car_segmentation.core.errors import UserError
from car_segmentation.training.devices import innermost_layers

OF_THE_SIZE = (
    keras.layers.InputLayer,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Resizing,
)
"""Layers without weights that depend on the size of photos."""
OF_THE_TRAINING = ("name", "dtype", "trainable", "momentum", "rate", "seed")
"""Options of layers that change nothing about the function of trained weights."""
ENDINGS = ("_initializer", "_regularizer", "_constraint")
"""Endings of the names of other such options."""


def take_weights(network: keras.Model, trained: keras.Model, name: str) -> None:
    """Give a network the weights of a trained model that has the same layers.

    The size of photos may differ, and so may whatever matters in training alone: precision,
    dropout, frozen layers, the momentum of batch normalisation.

    Args:
        network: Changed in place.
        trained: Stays as it is.
        name: What a message calls the trained model: its file or address.

    Raises:
        UserError: If the layers differ; the message names the first difference.
    """
    problem = next(_differences(network, trained), None)
    if problem:
        raise UserError(
            f"training.start_from = {name}: {problem}. Give this run the network of that model "
            "(network.architecture and its options), or start it afresh "
            "(training.start_from=null)."
        )
    for own, other in zip(_layers(network), _layers(trained), strict=True):
        own.set_weights(other.get_weights())


def _differences(network: keras.Model, trained: keras.Model) -> Iterator[str]:
    own, other = _layers(network), _layers(trained)
    if [type(layer) for layer in own] != [type(layer) for layer in other]:
        yield (
            f"it is {trained.name} of {len(other)} layers and {trained.count_params():,} "
            f"parameters, and the network of this run {network.name} of {len(own)} layers and "
            f"{network.count_params():,} parameters"
        )
        return
    for layer, trained_layer in zip(own, other, strict=True):
        options, trained_options = _options(layer), _options(trained_layer)
        for option in options | trained_options:
            value, trained_value = options.get(option), trained_options.get(option)
            if value != trained_value:
                yield (
                    f"{option} of its layer {trained_layer.name} is {trained_value}, and of "
                    f"{layer.name} in the network of this run {value}"
                )


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in innermost_layers(model) if not isinstance(layer, OF_THE_SIZE)]


def _options(layer: keras.layers.Layer) -> dict[str, Any]:
    """What a layer computes with."""
    options = {
        option: value
        for option, value in layer.get_config().items()
        if option not in OF_THE_TRAINING and not option.endswith(ENDINGS)
    }
    return options | {"shape of weights": [tuple(weight.shape) for weight in layer.weights]}
