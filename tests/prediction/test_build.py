from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.precision import computes_in_half
from car_segmentation.networks.registry import build_network
from car_segmentation.parameters import PredictionOptions, check_parameters
from car_segmentation.prediction import build
from car_segmentation.prediction.build import build_predictor
from car_segmentation.prediction.ensemble import Ensemble
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation
from car_segmentation.prediction.tiling import Tiles
from car_segmentation.training.precision import precision
from tests.support.models import HEIGHT, WIDTH, Constant, Toy
from tests.support.parameters import parameters


def test_a_model_alone_is_left_as_it_is() -> None:
    model = Toy()
    assert build_predictor(model, PredictionOptions()) is model


@pytest.mark.parametrize("trained_with", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("fast", [True, False])
def test_the_precision_is_that_of_the_processor_or_the_one_that_is_asked_for(
    fast: bool, trained_with: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "multiplies_bfloat16", lambda: fast)
    with precision(trained_with):
        model = build_network("segnet_unet", 16, 16, filters=[4], centre_filters=4)

    def predictor(precision: str | None) -> keras.Model:
        return build_predictor(model, PredictionOptions(precision=precision))

    assert computes_in_half(predictor(None)) is (trained_with != "float32")
    assert computes_in_half(predictor("auto")) is fast
    assert not computes_in_half(predictor("float32"))


def test_batch_normalisation_is_folded() -> None:
    model = build_network("segnet_unet", 16, 16, filters=[4], centre_filters=4)
    predictor = build_predictor(model, PredictionOptions())
    kinds = {type(layer).__name__ for layer in predictor.layers}
    assert "Conv2D" in kinds and "BatchNormalization" not in kinds


def constant_network(file: Path, value: float) -> str:
    """Save a network that says the same of every pixel."""
    photo = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    score = keras.layers.Conv2D(
        1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(value)
    )
    keras.Model(photo, score(keras.layers.Rescaling(1 / 255)(photo))).save(file)
    return str(file)


def test_tiles_stand_on_views_of_an_ensemble(tmp_path: Path) -> None:
    others = (
        constant_network(tmp_path / "a.keras", 1.0),
        constant_network(tmp_path / "b.keras", 0.25),
    )
    options = {"ensemble": others, "scales": (1.0, 0.9), "tiles": {"overlap": 0.5}}
    tiles = build_predictor(Constant(0.25), PredictionOptions(**options, batch_size=7))
    assert isinstance(tiles, Tiles) and (tiles.overlap, tiles.batch_size) == (0.5, 7)
    assert isinstance(tiles.predictor, TestTimeAugmentation)
    assert isinstance(tiles.predictor.predictor, Ensemble)
    maps = tiles.predict_on_batch(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))
    assert maps == pytest.approx(0.5)


def test_models_that_cannot_be_read_are_the_users_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    options = PredictionOptions(ensemble=(str(path),))
    with pytest.raises(UserError, match=r"`prediction.ensemble`: There is no model in .*other"):
        build_predictor(Toy(), options)
    path.write_text("no model")
    with pytest.raises(UserError, match=r"`prediction.ensemble`: .*other\.keras is not a Keras"):
        build_predictor(Toy(), options)


def test_predictors_are_told_apart() -> None:
    model, tiles = Toy(), Tiles(Toy(), 0.25, 2)
    mirrored = TestTimeAugmentation(model, flip=True)
    described = {
        predictor.to_json()
        for predictor in (
            *(model, Ensemble([model, model])),
            *(mirrored, TestTimeAugmentation(model, scales=(1.0, 0.9))),
            *(tiles, Tiles(model, 0.5, 2), Tiles(mirrored, 0.25, 2)),
        )
    }
    assert len(described) == 7
    assert len(Tiles(Ensemble([model, model]), 0.25, 2).get_weights()) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": [1.1, 1.2]}, "one of the scales must be at most 1"),
        ({"scales": []}, "prediction.scales"),
        ({"tiles": {"overlap": 1.0}}, r"prediction.tiles.overlap = 1.0"),
        ({"tiles": {"hight": 10}}, r"prediction.tiles.hight: unknown parameter"),
    ],
)
def test_what_cannot_be_predicted_is_refused(change: dict, message: str) -> None:
    given = parameters()
    with pytest.raises(UserError, match=message):
        check_parameters(given | {"prediction": given["prediction"] | change})


def test_better_masks_are_asked_for_by_parameter() -> None:
    changed = parameters(prediction={"flip": True, "tiles": {"overlap": 0.5}})
    options = check_parameters(changed).prediction
    assert options.flip and options.scales == (1.0,)
    assert options.tiles is not None and options.tiles.overlap == 0.5


@pytest.mark.parametrize(
    ("group", "old", "value", "new"),
    [
        ("reporting", "prediction_batch_size", 2, "batch_size"),
        ("reporting", "ensemble", [], "ensemble"),
        ("inference", "flip", True, "flip"),
        ("inference", "scales", [0.9], "scales"),
        ("inference", "tiles", {"overlap": 0.5}, "tiles"),
        ("inference", "batch_size", 2, "batch_size"),
    ],
)
def test_the_former_names_are_refused_with_the_new_one(
    group: str, old: str, value: object, new: str
) -> None:
    with pytest.raises(UserError, match=f"{group}.{old}: is called prediction.{new} now"):
        check_parameters(parameters(**{group: {old: value}}))
