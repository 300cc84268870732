import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.ensemble import Ensemble
from tests.support.models import HEIGHT, WIDTH, Constant, random_photos


def test_an_ensemble_of_two_constants_says_their_mean() -> None:
    ensemble = Ensemble([Constant(0.25), Constant(0.75), Constant(0.5)])
    maps = ensemble.predict_on_batch(random_photos())
    assert maps.dtype == np.float32
    assert maps.shape == (2, HEIGHT, WIDTH, 1)
    assert (maps == 0.5).all()
    assert ensemble.input_shape == (None, HEIGHT, WIDTH, 3)


def test_models_of_an_ensemble_have_one_input_size() -> None:
    with pytest.raises(UserError, match="have 32×24, 64×48"):
        Ensemble([Constant(0.5), Constant(0.5, 48, 64)])
