"""A trained model in float32, whatever the precision that it was trained with."""

from typing import Any, cast

import keras


def in_float32(model: keras.Model) -> keras.Model:
    """The same model, computing in float32 whatever the precision that it was trained with."""
    copy = type(model).from_config(_in_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def computes_in_half(model: keras.Model) -> bool:
    """True if a layer computes in bfloat16 or float16."""
    return any(layer.compute_dtype in ("bfloat16", "float16") for layer in model.layers)


def _in_float32(config: Any) -> Any:
    """A model's configuration with every precision policy replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return cast(dict[str, Any], config) | {"config": {"name": "float32"}}
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_float32(value) for value in config)
    return config
