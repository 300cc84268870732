from pathlib import Path

import numpy as np
import pytest
import skimage.transform

from car_segmentation.data.image_stack import ImageStack, read_stack, write_stack
from car_segmentation.prediction.probability_maps import (
    predict_batches,
    predicted_stack,
    to_native_size,
)
from tests.support.models import Brightness

IDS = tuple("abcde")
PHOTOS = ImageStack(IDS, np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3)).astype(np.uint8))


def test_photos_are_predicted_in_batches_and_in_the_order_asked_for() -> None:
    model = Brightness()
    maps = dict(predict_batches(model, PHOTOS, ["d", "a", "e"], batch_size=2))
    assert model.batches == [2, 1]
    assert list(maps) == [0, 1, 2]
    assert maps[0] == pytest.approx(PHOTOS.pixels[3, ..., 0] / 255)


def test_a_predicted_stack_keeps_three_digits(tmp_path: Path) -> None:
    write_stack(tmp_path / "stack", predicted_stack(Brightness(), PHOTOS, ["c", "b"], 4))
    stack = read_stack(tmp_path / "stack")
    assert stack.ids == ("c", "b")
    assert stack.pixels.dtype == np.float16
    assert np.abs(stack.pixels[1] - PHOTOS.pixels[1, ..., 0] / 255).max() < 5e-4


def test_native_size_is_bilinear_between_pixel_centres() -> None:
    probability = np.random.default_rng(1).random((6, 8)).astype(np.float16)
    enlarged = to_native_size(probability, 18, 24)
    expected = skimage.transform.resize(
        probability.astype(np.float32), (18, 24), order=1, mode="edge", anti_aliasing=False
    )
    assert enlarged.dtype == np.float32
    assert np.abs(enlarged - expected).max() < 1e-3
