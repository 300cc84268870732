from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Predicting, check_parameters
from car_segmentation.prediction.build import with_other_predictions
from car_segmentation.prediction.predictors import Views
from tests.support.models import Toy
from tests.support.parameters import parameters


def test_a_model_alone_is_left_as_it_is() -> None:
    model = Toy()
    assert with_other_predictions(model, Predicting()) is model
    assert isinstance(with_other_predictions(model, Predicting(flip=True)), Views)


def test_models_that_are_missing_or_none_are_the_users_to_mend(tmp_path: Path) -> None:
    missing = tmp_path / "missing.keras"
    with pytest.raises(UserError, match=r"no model in .*missing\.keras, which `ensemble` names"):
        with_other_predictions(Toy(), Predicting(ensemble=(str(missing),)))
    missing.write_text("no model")
    with pytest.raises(UserError, match=r"`ensemble`: .*missing\.keras is not a Keras model"):
        with_other_predictions(Toy(), Predicting(ensemble=(str(missing),)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": [1.1, 1.2]}, "one of the scales must be at most 1"),
        ({"scales": []}, "inference.scales"),
        ({"tiles": {"overlap": 1.0}}, r"inference.tiles.overlap = 1.0"),
        ({"tiles": {"hight": 10}}, r"inference.tiles.hight: unknown parameter"),
    ],
)
def test_what_cannot_be_predicted_is_refused(change: dict, message: str) -> None:
    given = parameters()
    with pytest.raises(UserError, match=message):
        check_parameters(given | {"inference": given["inference"] | change})


def test_better_masks_are_asked_for_by_parameter() -> None:
    changed = parameters(inference={"flip": True, "tiles": {"overlap": 0.5}})
    settings = check_parameters(changed).inference
    assert settings.flip and settings.scales == (1.0,)
    assert settings.tiles is not None and settings.tiles.overlap == 0.5
