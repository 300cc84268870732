"""Models that are not ours are refused with a sentence, whatever makes them unfit."""

import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.models import ChosenModelDataset
from car_segmentation.experiments import model_registry
from car_segmentation.networks.model_check import check_model
from car_segmentation.networks.model_file import read_model
from car_segmentation.networks.registry import build_network
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.build import build_predictor
from car_segmentation.serving.photo_model import current_version, load_model

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


@pytest.mark.parametrize("problem", UNFIT)
def test_a_model_of_another_kind_is_refused_by_what_it_is(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    UNFIT[problem]().save(path)
    with pytest.raises(UserError) as refusal:
        read_model(path)
    assert str(refusal.value).startswith(f"{path} is not a model of this project: ")
    assert problem in str(refusal.value)


def damaged_files(whole: bytes) -> dict[str, bytes]:
    """Files that are no models, the kind of damage by what the message says."""
    rng = np.random.default_rng(17)
    cuts = {f"cut short at byte {at}": whole[:at] for at in rng.integers(1, len(whole) - 1, 3)}
    return cuts | {"empty": b"", "zeros": bytes(len(whole)), "text": b"not a model\n"}


ENTRANCES: dict[str, Callable[[Path], object]] = {
    "model": lambda path: ChosenModelDataset(str(path)).load(),
    "ensemble": lambda path: build_predictor(
        model_of(), PredictionOptions(batch_size=1, ensemble=[str(path)])
    ),
    "service": lambda path: load_model(str(path), current_version(str(path))),
    "registry": lambda path: load_model(str(path.parent), "1"),
}
"""Where a model comes in from outside."""


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_entrance_refuses_with_one_sentence_that_names_the_file(
    entrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    monkeypatch.setattr(model_registry, "network_file", lambda _: nullcontext(path))
    (tmp_path / "threshold.json").write_text('{"threshold": 0.5}')
    model = model_of()
    model.save(path)
    unfit = damaged_files(path.read_bytes())
    for problem, make in UNFIT.items():
        make().save(path)
        unfit[problem] = path.read_bytes()
    keras.Model(model.input, layers.Lambda(lambda x: 1 - x)(model.output)).save(path)
    unfit["brings code"] = path.read_bytes()
    assert len(unfit) == len(UNFIT) + 7
    for problem, content in unfit.items():
        path.write_bytes(content)
        with pytest.raises(Exception) as refusal:  # noqa: PT011  Kedro wraps it.
            ENTRANCES[entrance](path)
        error = refusal.value if isinstance(refusal.value, UserError) else refusal.value.__cause__
        assert isinstance(error, UserError), problem
        assert str(path) in str(error), problem
        assert "\n" not in str(error), problem


@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid"])
def test_what_gives_probabilities_is_taken_and_not_run(activation: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model_of(activation=activation).save(path)
    assert read_model(path).output_shape == (None, *SIZE, 1)


@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_a_softmax_of_one_channel_is_within_the_range() -> None:
    check_model(model_of(activation="softmax"), "it")


def test_a_network_padded_and_cropped_is_ours() -> None:
    check_model(build_network("segnet_unet", 33, 47, filters=[4, 8], centre_filters=8), "it")


def test_files_that_are_not_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model_of().save(path)
    whole = path.read_bytes()
    cut = [whole[: len(whole) * part // 5] for part in range(1, 5)]
    for content in [b"", b"not a model\n", bytes(5000), *cut]:
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a Keras model"):
            read_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError, match="cannot be read as a Keras model"):
        read_model(path)
    with pytest.raises(UserError, match="There is no model in"):
        read_model(tmp_path)


def test_a_model_that_brings_code_is_not_run(tmp_path: Path) -> None:
    model = model_of()
    path = tmp_path / "model.keras"
    keras.Model(model.input, layers.Lambda(lambda x: 1 - x)(model.output)).save(path)
    with pytest.raises(UserError, match=r"cannot be read as a Keras model: .*Lambda"):
        read_model(path)
