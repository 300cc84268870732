"""Check that a model fits this project. Asked wherever a model comes in, before it makes a mask."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from car_segmentation.core.errors import UserError

PROBABILITIES = ("sigmoid", "hard_sigmoid")
"""Activations whose results lie between 0 and 1, whatever comes in."""
TRIED_SIZE = (256, 256)
"""Height and width at which a network for any size is tried."""
REASON_LENGTH = 200
OTHERWISE = "Copy it again, choose another model, or train one: `kedro run`."


def read_keras_file(path: Path) -> keras.Model:
    """Read a ``.keras`` file in safe mode, without its loss and optimiser, and check it.

    Raises:
        UserError: If there is no such file, it is not a Keras model, needs code that it brings
            itself, or does not go from RGB photos to one map of probabilities: see `check_model`.
    """
    if not path.is_file():
        raise UserError(f"There is no model in {path}. Train one first: `kedro run`.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not a Keras model: it is not a whole zip archive. {OTHERWISE}")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and its layers may raise anything.
        reason = _reason(error).rstrip(".")
        message = f"{path} cannot be read as a Keras model: {reason}. {OTHERWISE}"
        raise UserError(message) from error
    check_model(model, str(path))
    return model


def check_model(model: Any, name: str) -> None:
    """Check that a model goes from RGB photos to probabilities of the same size.

    The model is run on one photo only if its last layer does not keep its results within 0 to 1.

    Args:
        model: What was loaded.
        name: What the message calls it: its file or address.

    Raises:
        UserError: If it has another number of inputs or outputs, takes other than RGB photos, gives
            other than one channel of the input's size, holds weights that are not finite, or gives
            values that are not probabilities (logits, say).
    """
    problem = next(_problems(model), None)
    if problem:
        raise UserError(
            f"{name} is not a model of this project: {problem}. It must take RGB photos (batch, "
            "height, width, 3) and give the probability of each pixel (batch, height, width, 1)."
        )


def _problems(model: Any) -> Iterator[str]:
    """Yield problems, each only if there is none before it."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        yield f"it is a {type(model).__name__}, whose inputs and outputs are not known"
    if len(model.inputs) != 1:
        yield f"it has {len(model.inputs)} inputs"
    if len(model.outputs) != 1:
        yield f"it has {len(model.outputs)} outputs"
    taken, given = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if len(taken) != 4 or taken[3] != 3:
        yield f"it takes {_shape(taken)}"
    if len(given) != 4 or given[3] != 1:
        yield f"it gives {_shape(given)}"
    if None not in given[1:3] and taken[1:3] != given[1:3]:
        yield f"it takes {_shape(taken)} and gives {_shape(given)}"
    for weights in model.weights:
        values = np.asarray(keras.ops.convert_to_numpy(weights))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            yield f"its weights in {weights.path} are not all finite"
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.Cropping2D)]
    activation = getattr(layers[-1], "activation", None)
    if getattr(activation, "__name__", "") not in PROBABILITIES:
        yield from _problems_with_a_photo(model)


def _problems_with_a_photo(model: keras.Model) -> Iterator[str]:
    height, width = (
        own or tried for own, tried in zip(model.input_shape[1:3], TRIED_SIZE, strict=True)
    )
    # All colours, far and near: logits are not between 0 and 1 for all of them.
    photo = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    try:
        values = np.asarray(keras.ops.convert_to_numpy(model(photo, training=False)), np.float32)
    except Exception as error:  # As above.
        yield f"it cannot predict a photo of {width}×{height} ({_reason(error)})"
        return
    if values.shape[1:3] != (height, width):
        yield f"it gives {values.shape[2]}×{values.shape[1]} for a photo of {width}×{height}"
    if not np.isfinite(values).all():
        yield "it gives values that are not finite"
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        yield f"it gives values from {low:.3g} to {high:.3g}, which are not probabilities"


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape[1:])}) a photo"


def _reason(error: Exception) -> str:
    lines = str(error).splitlines() or [repr(error)]
    return lines[0][:REASON_LENGTH]
