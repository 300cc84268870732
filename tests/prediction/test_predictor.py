import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.predictor import predict_full_batch


class OneValueIs:
    """Predicts 0.5, and one value of its own in the last photo but one."""

    input_shape = (None, 2, 3, 3)

    def __init__(self, value: float) -> None:
        self.value = value

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        maps = np.full((*photos.shape[:3], 1), 0.5, np.float32)
        maps[-2, 1, 2] = self.value
        return maps


PHOTOS = np.zeros((2, 2, 3, 3), np.uint8)


def test_a_probability_that_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match=r"predicts NaN.*precision=float32"):
        predict_full_batch(OneValueIs(np.nan), PHOTOS, 2)


def test_what_filled_up_the_batch_is_not_looked_at() -> None:
    maps = predict_full_batch(OneValueIs(np.nan), PHOTOS[:1], 3)
    assert maps.tolist() == [[[0.5] * 3] * 2]
