"""Batch normalisation folded into the convolutions before it, for networks that only predict.

The served artifact keeps this file beside it: nothing of the project is imported.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

CONVOLUTIONS = ("Conv2D", "Conv2DTranspose", "DepthwiseConv2D")
Config = dict[str, Any]


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """The same function of a photo by fewer layers; not to be trained.

    In prediction, batch normalisation multiplies each channel by γ / √(σ² + ε) and adds a constant
    (Ioffe & Szegedy 2015, algorithm 2, step 11). Where it follows a convolution, that one's kernel
    and bias can do both, which saves passes over memory.

    Args:
        network: Functional; its layers may be networks themselves. It stays as it is.

    Returns:
        A copy, equal but for rounding, whose layers keep their names.
    """
    config = network.get_config()
    if not _is_functional(config):
        return network
    copy = type(network).from_config(_without_batch_norm(config))
    _set_weights(copy, network)
    return copy


def _is_functional(config: Config) -> bool:
    return "input_layers" in config


def _without_batch_norm(config: Config) -> Config:
    """A network's configuration without the layers that can be folded."""
    folded = _foldable(config)
    convolutions = set(folded.values())
    kept = [layer for layer in config["layers"] if layer["name"] not in folded]
    for number, layer in enumerate(kept):
        inside = layer["config"]
        if layer["name"] in convolutions:
            inside = inside | {"use_bias": True}
        elif _is_functional(inside):
            inside = _without_batch_norm(inside)
        inputs = _renamed(layer["inbound_nodes"], folded)
        kept[number] = layer | {"config": inside, "inbound_nodes": inputs}
    outputs = _renamed(config["output_layers"], folded)
    return config | {"layers": kept, "output_layers": outputs}


def _foldable(config: Config) -> dict[str, str]:
    """Names of batch normalisations, each with the convolution that can do its work."""
    layers = {layer["name"]: layer for layer in config["layers"]}
    inputs = {name: list(_names(layer["inbound_nodes"], layers)) for name, layer in layers.items()}
    uses = Counter(_names(config["output_layers"], layers))
    for names in inputs.values():
        uses.update(names)
    folded = {}
    for name, layer in layers.items():
        if layer["class_name"] == "BatchNormalization" and len(inputs[name]) == 1:
            convolution = layers[inputs[name][0]]
            if (
                convolution["class_name"] in CONVOLUTIONS
                and convolution["config"]["activation"] == "linear"
                and convolution["config"]["data_format"] == "channels_last"
                and layer["config"]["axis"] in (-1, 3)
                and len(inputs[convolution["name"]]) == uses[convolution["name"]] == 1
            ):
                folded[name] = convolution["name"]
    return folded


def _names(value: Any, layers: Config) -> Iterator[str]:
    """The names of layers in a part of a configuration that refers to their outputs."""
    if isinstance(value, str) and value in layers:
        yield value
    elif isinstance(value, dict):
        yield from _names(list(value.values()), layers)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _names(part, layers)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: _renamed(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_renamed(part, names) for part in value)
    return value


def _set_weights(copy: keras.Model, network: keras.Model) -> None:
    norms = {convolution: norm for norm, convolution in _foldable(network.get_config()).items()}
    for layer in copy.layers:
        original = network.get_layer(layer.name)
        if layer.name in norms:
            layer.set_weights(_with_norm(original, network.get_layer(norms[layer.name])))
        elif isinstance(layer, keras.Model) and _is_functional(layer.get_config()):
            _set_weights(layer, original)
        elif layer.weights:
            layer.set_weights(original.get_weights())


def _with_norm(convolution: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    """Kernel and bias of a convolution with the batch normalisation after it."""
    kernel, *bias = convolution.get_weights()
    factor = 1 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        factor *= np.asarray(norm.gamma)
    offset = (sum(bias) - np.asarray(norm.moving_mean)) * factor
    if norm.center:
        offset += np.asarray(norm.beta)
    # Kernels of these two have the result's channels third and, of each of those, others last.
    third = not isinstance(convolution, keras.layers.Conv2D)
    return [kernel * (factor.reshape(kernel.shape[2], -1) if third else factor), offset]
