import itertools
import math
from collections.abc import Callable
from typing import get_args

import keras
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from car_segmentation.parameters import Training
from car_segmentation.training import losses
from car_segmentation.training.losses import (
    BORDER_SOFTNESS,
    bce_dice,
    border_bce_dice,
    build_loss,
    dice,
    focal,
    jaccard,
    lovasz,
    tversky,
)
from tests.support.trainings import TRAINING

SETTINGS = TRAINING.model_copy(update={"border_kernel": 5, "border_weight": 2.0})
LOSSES = {name: build(SETTINGS) for name, build in losses.LOSSES.items()}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def values(*photos: list[float]) -> np.ndarray:
    """Photos of one row each as (batch, 1, width, 1)."""
    return np.array(photos, np.float32)[:, np.newaxis, :, np.newaxis]


def as_numpy(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def gradient_of(loss, truth: np.ndarray, predicted: np.ndarray, dtype: str) -> np.ndarray:
    """The gradient of a loss by the prediction, which a layer holds as its weight."""

    class Prediction(keras.layers.Layer):
        def build(self, shape) -> None:
            start = keras.initializers.Constant(predicted)
            self.probability = self.add_weight(shape=predicted.shape, initializer=start)

        def call(self, photo):
            return keras.ops.cast(self.probability, dtype)

    photo = keras.Input(batch_shape=predicted.shape)
    network = keras.Model(photo, Prediction()(photo))
    # One step of plain descent, one long, is the gradient.
    network.compile(
        optimizer=keras.optimizers.SGD(1.0), loss=lambda t, p: keras.ops.sum(loss(t, p))
    )
    network.train_on_batch(np.zeros_like(predicted), truth.astype(np.float32))
    return predicted - np.array(network.get_weights()[0])


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


@every_loss
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_perfect_prediction_costs_nothing_even_where_all_is_empty_or_full(
    loss, level: float
) -> None:
    mask = np.full((1, 16, 16, 1), level, np.float32)
    assert as_numpy(loss(mask, mask)) == pytest.approx([0], abs=1e-5)


N = 2**18
HALF_RIGHT = {
    "bce_dice": math.log(2) + 1 - (N + 1) / (1.5 * N + 1),
    "border_bce_dice": math.log(2) + 1 - (N + 1) / (1.5 * N + 1),
    "dice": 1 - (N + 1) / (1.5 * N + 1),
    "jaccard": 1 - (N / 2 + 1) / (N + 1),
    "focal": 0.25 * 0.25 * math.log(2),
    "tversky": 1 - (N / 2 + 1) / (N / 2 + 0.7 * N / 2 + 1),
    "lovasz": 0.5 * N / (N + 1),
}
"""Where all is car, and all probabilities are one half; N pixels."""


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_neither_overflows_nor_gives_nan(name: str, dtype: str) -> None:
    truth = keras.ops.ones((1, 512, 512, 1), dtype=dtype)  # Σ = 262,144; float16 ends at 65,504.
    predicted = keras.ops.full((1, 512, 512, 1), 0.5, dtype=dtype)
    value = as_numpy(LOSSES[name](truth, predicted))
    assert value.dtype == np.float32
    assert value == pytest.approx([HALF_RIGHT[name]], rel=1e-4)


@every_loss
@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_a_certain_and_wrong_prediction_is_finite(loss, certain: float) -> None:
    value = as_numpy(loss(values([1 - certain]), values([certain])))
    assert np.isfinite(value).all() and value > 0.2


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_gradients_are_finite(loss, dtype: str) -> None:
    """Of photos that are all alike, one for each pair of a truth and a prediction."""
    pairs = np.array(list(itertools.product([0.0, 0.5, 1.0], [0.0, 0.3, 1.0])))
    truth, predicted = (np.broadcast_to(v[:, None, None, None], (9, 4, 4, 1)) for v in pairs.T)
    assert np.isfinite(gradient_of(loss, truth, predicted, dtype)).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_focal_gradients_are_finite_where_the_prediction_is_exact(gamma: float) -> None:
    truth = values([0.0, 0.3, 1.0])
    assert np.isfinite(gradient_of(focal(gamma, 0.25), truth, truth, "float32")).all()


@every_loss
def test_a_step_down_the_gradient_makes_each_loss_smaller(loss) -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((2, 6, 6, 1)).astype(np.float32)
    predicted = rng.uniform(0.1, 0.9, truth.shape).astype(np.float32)
    step = gradient_of(loss, truth, predicted, "float32")
    better = as_numpy(loss(truth, predicted - 1e-2 * step / np.abs(step).max()))
    assert (better < as_numpy(loss(truth, predicted))).all()


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
    plain = as_numpy(bce_dice(truth, predicted))
    assert as_numpy(border_bce_dice(3, 0)(truth, predicted)) == pytest.approx(plain)


def test_dice_jaccard_and_tversky_worked_out_by_hand() -> None:
    truth, predicted = values([1, 1, 0, 0]), values([0.8, 0.6, 0.5, 0])
    # Found 1.4, added 0.5, missed 0.6; 1 is added above and below.
    assert as_numpy(dice(truth, predicted)) == pytest.approx([1 - 3.8 / 4.9])
    assert as_numpy(jaccard(truth, predicted)) == pytest.approx([1 - 2.4 / 3.5])
    tversky_index = 2.4 / (1.4 + 0.3 * 0.5 + 0.7 * 0.6 + 1)
    assert as_numpy(tversky(0.3, 0.7)(truth, predicted)) == pytest.approx([1 - tversky_index])


def test_beta_weighs_what_is_missed_and_alpha_what_is_added() -> None:
    truth = values([1] * 50 + [0] * 50)
    missed, added = values([1] * 40 + [0] * 60), values([1] * 60 + [0] * 40)
    both = {
        name: as_numpy(tversky(0.3, 0.7)(truth, p))
        for name, p in (("missed", missed), ("added", added))
    }
    assert both["missed"] == pytest.approx([1 - 41 / (41 + 0.7 * 10)])
    assert both["added"] == pytest.approx([1 - 51 / (51 + 0.3 * 10)])


def test_focal_agrees_with_keras_where_the_truth_is_hard() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, (3, 8, 8, 1)).astype(np.float32)
    predicted = rng.random(truth.shape).astype(np.float32)
    reference = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.25, gamma=2.0, reduction="none"
    )(truth, predicted)
    expected = as_numpy(reference).mean(axis=(1, 2))
    assert as_numpy(focal(2.0, 0.25)(truth, predicted)) == pytest.approx(expected, rel=1e-5)


def test_focal_of_soft_truth_worked_out_by_hand() -> None:
    entropy = -(0.6 * math.log(0.9) + 0.4 * math.log(0.1))
    balance = 0.25 * 0.6 + 0.75 * 0.4
    value = as_numpy(focal(2.0, 0.25)(values([0.6]), values([0.9])))
    assert value == pytest.approx([balance * 0.3**2 * entropy], rel=1e-5)


def lovasz_extension(errors: np.ndarray, set_loss: Callable[[set[int]], float]) -> float:
    """Definition 1 of Berman et al. 2018, of any set function, pixel by pixel."""
    total, mistakes = 0.0, set()
    for pixel in np.argsort(-errors):
        before = set_loss(mistakes)
        mistakes = mistakes | {int(pixel)}
        total += errors[pixel] * (set_loss(mistakes) - before)
    return total


@given(
    arrays(np.float32, 12, elements=st.sampled_from([0.0, 1.0])),
    arrays(np.float32, 12, elements=st.floats(0, 1, width=16)),
)
def test_lovasz_is_the_extension_of_the_jaccard_loss(
    truth: np.ndarray, predicted: np.ndarray
) -> None:
    car = {int(pixel) for pixel in np.flatnonzero(truth)}

    def jaccard_loss(mistakes: set[int]) -> float:
        return 1 - (len(car - mistakes) + 1) / (len(car | mistakes) + 1)

    expected = lovasz_extension(np.abs(truth - predicted), jaccard_loss)
    assert as_numpy(lovasz(values(truth), values(predicted))) == pytest.approx([expected], abs=1e-5)


def test_lovasz_of_hard_predictions_is_jaccard() -> None:
    rng = np.random.default_rng(5)
    truth, predicted = rng.integers(0, 2, (2, 4, 20, 20, 1)).astype(np.float32)
    expected = as_numpy(jaccard(truth, predicted))
    assert as_numpy(lovasz(truth, predicted)) == pytest.approx(expected, rel=1e-5)


def test_lovasz_keeps_its_precision_on_a_large_photo() -> None:
    rng = np.random.default_rng(6)
    truth = (rng.random(2**20) < 0.2).astype(np.float64)
    predicted = np.clip(truth + rng.normal(0, 0.2, truth.shape), 0, 1).astype(np.float32)
    errors = np.abs(truth - predicted)
    order = np.argsort(-errors)
    wrong_car, wrong_rest = np.cumsum(truth[order]), np.cumsum(1 - truth[order])
    jaccard_losses = 1 - (truth.sum() - wrong_car + 1) / (truth.sum() + wrong_rest + 1)
    expected = (errors[order] * np.diff(jaccard_losses, prepend=0)).sum()
    shape = (1, 1024, 1024, 1)
    value = as_numpy(lovasz(truth.astype(np.float32).reshape(shape), predicted.reshape(shape)))
    assert value == pytest.approx([expected], rel=1e-5)


def test_every_loss_can_be_chosen_and_is_tested() -> None:
    names = get_args(Training.model_fields["loss"].annotation)
    assert set(names) == LOSSES.keys() == HALF_RIGHT.keys()


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("bce_dice", bce_dice),
        ("border_bce_dice", border_bce_dice(5, 2.0)),
        ("dice", dice),
        ("jaccard", jaccard),
        ("focal", focal(2.0, 0.25)),
        ("tversky", tversky(0.3, 0.7)),
        ("lovasz", lovasz),
    ],
)
def test_losses_are_found_by_name_with_their_parameters(name: str, loss: losses.Loss) -> None:
    settings = SETTINGS.model_copy(update={"loss": name})
    rng = np.random.default_rng(7)
    truth, predicted = rng.random((2, 2, 8, 8, 1)).astype(np.float32)
    expected = as_numpy(loss(truth, predicted))
    assert np.array_equal(as_numpy(build_loss(settings)(truth, predicted)), expected)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_ignored_pixels_weigh_nothing(loss) -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random((2, 12, 12, 1)) > 0.5).astype(np.float32)
    ignored = np.zeros_like(truth)
    ignored[:, 3:7, 2:9] = 1
    predicted = rng.random(truth.shape).astype(np.float32)
    other = np.where(ignored > 0, rng.random(truth.shape), predicted).astype(np.float32)
    of_known = losses.over_known_pixels(loss)
    values = [
        keras.ops.convert_to_numpy(of_known(np.concatenate([labels, ignored], axis=-1), given))
        for labels, given in ((truth, predicted), (1 - truth * ignored, other))
    ]
    # Outside the ignored pixels the second pair of labels is not the first one's.
    same = np.where(ignored > 0, 1 - truth, truth)
    again = keras.ops.convert_to_numpy(of_known(np.concatenate([same, ignored], axis=-1), other))
    assert again == pytest.approx(values[0], rel=1e-5)
    assert values[1] != pytest.approx(values[0], rel=1e-2)


def test_dice_over_known_pixels_worked_out_by_hand() -> None:
    truth = np.array([[1, 1, 0, 0]], np.float32).reshape(1, 2, 2, 1)
    ignored = np.array([[0, 1, 1, 0]], np.float32).reshape(1, 2, 2, 1)
    predicted = np.array([[1, 0, 1, 1]], np.float32).reshape(1, 2, 2, 1)
    # Of the pixels that are known, one is right and one a false positive: 1 - (2·1 + 1) / (3 + 1).
    of_known = losses.over_known_pixels(losses.dice)
    value = of_known(np.concatenate([truth, ignored], axis=-1), predicted)
    assert float(value[0]) == pytest.approx(1 - 3 / 4)
