import keras
import numpy as np
import pytest

from car_segmentation.training.trainer import build_optimizer
from tests.support.trainings import TRAINING


def muon_step(gradient: np.ndarray, **settings: object) -> np.ndarray:
    """What the first step of Muon adds to a 3×3 kernel whose gradient is given."""
    height, width, read, made = gradient.shape
    pixels = keras.Input((height, width, read))
    network = keras.Model(pixels, keras.layers.Conv2D(made, height, use_bias=False)(pixels))
    chosen = TRAINING.model_copy(update={"optimizer": "muon"} | settings)
    optimizer = build_optimizer(chosen, steps=100)
    optimizer.build(network.trainable_variables)
    before = network.get_weights()[0]
    optimizer.apply([keras.ops.convert_to_tensor(gradient)])
    return np.array(network.get_weights()[0] - before)


def test_muon_steps_are_as_long_in_every_direction() -> None:
    """Nearly orthogonal, whatever the gradient; as long as Liu et al. say in equation 4."""
    gradient = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype(np.float32)
    step = muon_step(gradient, learning_rate=0.01)
    left, sizes, right = np.linalg.svd(step.reshape(36, 8), full_matrices=False)
    exact_left, _, exact_right = np.linalg.svd(gradient.reshape(36, 8), full_matrices=False)
    # Five iterations bring singular values to between 0.7 and 1.2 (Jordan et al. 2024).
    assert np.all((sizes > 0.68 * 0.01 * 0.2 * 6) & (sizes < 1.22 * 0.01 * 0.2 * 6))
    exact = -(exact_left @ exact_right)
    assert np.sum(left @ right * exact) / 8 == pytest.approx(1, abs=0.02)


def test_muon_leaves_single_channels_to_adam() -> None:
    gradient = np.random.default_rng(0).normal(size=(3, 3, 4, 1)).astype(np.float32)
    step = muon_step(gradient, learning_rate=0.01, adamw_lr_multiplier=0.1)
    assert step == pytest.approx(-0.001 * np.sign(gradient), rel=1e-3)  # Adam's first step.


def test_muon_is_read_back_with_its_settings() -> None:
    chosen = TRAINING.model_copy(
        update={"optimizer": "muon", "adamw_lr_multiplier": 0.1, "momentum": 0.9}
    )
    optimizer = build_optimizer(chosen, steps=100)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert (again.adam_lr_ratio, again.momentum) == (0.1, 0.9)
