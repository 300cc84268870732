"""A trained model in another precision than that of its training; its weights stay float32."""

from collections.abc import Collection
from typing import Any, cast

import keras


def in_float32(model: keras.Model) -> keras.Model:
    """The same model, computing in float32 whatever the precision that it was trained with."""
    return _in_policy(model, "float32")


def in_mixed_bfloat16(model: keras.Model) -> keras.Model:
    """The same model, computing in bfloat16 up to its last layer with weights.

    That layer and those after it stay as they are: bfloat16 has too few digits for probabilities
    near 1.
    """
    last = max((i for i, layer in enumerate(model.layers) if layer.weights), default=0)
    return _in_policy(model, "mixed_bfloat16", {layer.name for layer in model.layers[last:]})


def computes_in_half(model: keras.Model) -> bool:
    """True if a layer computes in bfloat16 or float16."""
    return any(layer.compute_dtype in ("bfloat16", "float16") for layer in model.layers)


def _in_policy(model: keras.Model, policy: str, but: Collection[str] = ()) -> keras.Model:
    copy = type(model).from_config(_with_policy(model.get_config(), policy, but))
    copy.set_weights(model.get_weights())
    return copy


def _with_policy(config: Any, policy: str, but: Collection[str]) -> Any:
    """A model's configuration with the precision policy of all layers but some replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return cast(dict[str, Any], config) | {"config": {"name": policy}}
        if config.get("name") in but:
            return config
        return {key: _with_policy(value, policy, but) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_policy(value, policy, but) for value in config)
    return config
