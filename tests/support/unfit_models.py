"""Models that are not ours, in every way of being unfit."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

SIZE = (16, 24)


def model_of(
    photo_shape: tuple[int | None, ...] = (*SIZE, 3),
    classes: int = 1,
    activation: str | None = "sigmoid",
    strides: int = 1,
) -> keras.Model:
    photo = keras.Input(photo_shape, dtype="uint8")
    x = keras.ops.cast(photo, "float32")
    x = layers.Conv2D(classes, 1, strides=strides, activation=activation, name="classifier")(x)
    return keras.Model(photo, x)


def two_outputs() -> keras.Model:
    model = model_of()
    return keras.Model(model.input, [model.output, model.output])


def two_inputs() -> keras.Model:
    model = model_of()
    other = keras.Input((*SIZE, 1))
    return keras.Model([model.input, other], model.output * other)


def one_number() -> keras.Model:
    model = model_of()
    return keras.Model(model.input, layers.GlobalAveragePooling2D()(model.output))


def with_nan() -> keras.Model:
    model = model_of()
    kernel, bias = model.get_layer("classifier").get_weights()
    kernel[0, 0, 1, 0] = np.nan
    model.get_layer("classifier").set_weights([kernel, bias])
    return model


def not_finite() -> keras.Model:
    model = model_of(activation=None)
    model.get_layer("classifier").set_weights(
        [np.full((1, 1, 3, 1), 3e38, np.float32), np.zeros(1, np.float32)]
    )
    return model


UNFIT: dict[str, Callable[[], keras.Model]] = {
    "it gives (16, 24, 3) a photo": lambda: model_of(classes=3, activation="softmax"),
    "which are not probabilities": lambda: model_of(activation=None),
    "its weights in classifier/kernel are not all finite": with_nan,
    "it gives values that are not finite": not_finite,
    "it takes (16, 24, 3) a photo and gives (8, 12, 1) a photo": lambda: model_of(strides=2),
    "it gives 128×128 for a photo of 256×256": lambda: model_of(
        (None, None, 3), activation="tanh", strides=2
    ),
    "it has 2 outputs": two_outputs,
    "it has 2 inputs": two_inputs,
    "it gives (1) a photo": one_number,
    "it takes (16, 24, 1) a photo": lambda: model_of((*SIZE, 1)),
}
"""How they are made, by what a message says of each."""


def with_code() -> keras.Model:
    """A model that brings a function of its own."""
    model = model_of()
    return keras.Model(model.input, layers.Lambda(lambda x: 1 - x)(model.output))


def damaged_files(whole: bytes) -> dict[str, bytes]:
    """Files that are no models, the kind of damage by what the message says."""
    rng = np.random.default_rng(17)
    cuts = {f"cut short at byte {at}": whole[:at] for at in rng.integers(1, len(whole) - 1, 3)}
    return cuts | {"empty": b"", "zeros": bytes(len(whole)), "text": b"not a model\n"}


def unfit_files(path: Path) -> dict[str, bytes]:
    """Contents of files that no entrance takes, by what is wrong; each is saved at a path."""
    model_of().save(path)
    unfit = damaged_files(path.read_bytes())
    for problem, make in (UNFIT | {"brings code": with_code}).items():
        make().save(path)
        unfit[problem] = path.read_bytes()
    return unfit
