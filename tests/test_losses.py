import math

import keras
import numpy as np
import pytest
import scipy.ndimage

from car_segmentation.losses import BORDER_SOFTNESS, bce_dice, border_bce_dice, build_loss


def values(*photos: list[float]) -> np.ndarray:
    """Photos of one row each as (batch, 1, width, 1)."""
    return np.array(photos, np.float32)[:, np.newaxis, :, np.newaxis]


def as_numpy(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def test_bce_dice_worked_out_by_hand() -> None:
    loss = as_numpy(bce_dice(values([1, 0]), values([0.8, 0.4])))
    bce = -(math.log(0.8) + math.log(0.6)) / 2
    dice = (2 * 0.8 + 1) / (1 + 1.2 + 1)
    assert loss == pytest.approx([bce + 1 - dice], rel=1e-5)


def test_each_photo_has_its_own_value_whatever_its_batch() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((4, 8, 8, 1)).astype(np.float32)
    predicted = rng.random((4, 8, 8, 1)).astype(np.float32)
    together = as_numpy(bce_dice(truth, predicted))
    alone = [as_numpy(bce_dice(truth[i : i + 1], predicted[i : i + 1]))[0] for i in range(4)]
    assert together.shape == (4,)
    assert together == pytest.approx(alone)


@pytest.mark.parametrize("loss", [bce_dice, border_bce_dice(5, 2.0)])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_perfect_prediction_costs_nothing_even_where_all_is_empty_or_full(
    loss, level: float
) -> None:
    mask = np.full((1, 16, 16, 1), level, np.float32)
    assert as_numpy(loss(mask, mask)) == pytest.approx([0], abs=1e-5)


@pytest.mark.parametrize("loss", [bce_dice, border_bce_dice(5, 2.0)])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_neither_overflows_nor_gives_nan(loss, dtype: str) -> None:
    truth = keras.ops.ones((1, 512, 512, 1), dtype=dtype)  # Σ = 262,144; float16 ends at 65,504.
    predicted = keras.ops.full((1, 512, 512, 1), 0.5, dtype=dtype)
    value = as_numpy(loss(truth, predicted))
    assert value.dtype == np.float32
    dice = (2 * 0.5 * 2**18 + 1) / (1.5 * 2**18 + 1)
    assert value == pytest.approx([math.log(2) + 1 - dice], rel=1e-4)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_a_certain_and_wrong_prediction_is_finite(certain: float) -> None:
    loss = as_numpy(bce_dice(values([1 - certain]), values([certain])))
    assert np.isfinite(loss).all()


def test_border_weights_agree_with_scipy() -> None:
    rng = np.random.default_rng(1)
    truth = np.zeros((20, 24), np.float32)
    truth[4:12, 6:18] = 1
    predicted = rng.uniform(0.05, 0.95, truth.shape).astype(np.float32)
    kernel, extra = 5, 2.0
    inside = scipy.ndimage.uniform_filter(np.ones_like(truth), kernel, mode="constant")
    mean = scipy.ndimage.uniform_filter(truth, kernel, mode="constant") / inside
    weight = 1 + extra * ((mean > BORDER_SOFTNESS) & (mean < 1 - BORDER_SOFTNESS))
    entropy = -(truth * np.log(predicted) + (1 - truth) * np.log(1 - predicted))
    bce = (weight * entropy).sum() / weight.sum()
    dice = (2 * (weight * truth * predicted).sum() + 1) / ((weight * (truth + predicted)).sum() + 1)
    loss = as_numpy(
        border_bce_dice(kernel, extra)(truth[None, ..., None], predicted[None, ..., None])
    )
    assert loss == pytest.approx([bce + 1 - dice], rel=1e-4)


def test_no_border_weight_is_the_plain_loss() -> None:
    truth, predicted = values([1, 1, 0, 0.3]), values([0.9, 0.2, 0.5, 0.3])
    plain = as_numpy(build_loss("bce_dice", 3, 0)(truth, predicted))
    assert as_numpy(build_loss("border_bce_dice", 3, 0)(truth, predicted)) == pytest.approx(plain)
