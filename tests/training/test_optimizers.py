from collections.abc import Callable

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.training.compilation import compile_network
from car_segmentation.training.optimizers import ConvolutionMuon, build_optimizer
from tests.support.trainings import TRAINING, tiny_network


def muon_step(gradient: np.ndarray, **settings: object) -> np.ndarray:
    """What the first step of Muon adds to a 3×3 kernel whose gradient is given."""
    height, width, read, made = gradient.shape
    pixels = keras.Input((height, width, read))
    network = keras.Model(pixels, keras.layers.Conv2D(made, height, use_bias=False)(pixels))
    chosen = TRAINING.model_copy(update={"optimizer": "muon"} | settings)
    optimizer = build_optimizer(chosen)
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


def test_keras_muon_has_the_methods_that_convolutions_change() -> None:
    """None of them is documented: without one, kernels of convolutions would be left to AdamW."""
    names = {"_should_use_adamw", "zeropower_via_newtonschulz5", "lr_adjust"}
    assert names <= vars(keras.optimizers.Muon).keys()
    assert names <= vars(ConvolutionMuon).keys()


def test_muon_leaves_single_channels_to_adam() -> None:
    gradient = np.random.default_rng(0).normal(size=(3, 3, 4, 1)).astype(np.float32)
    step = muon_step(gradient, learning_rate=0.01, adamw_lr_multiplier=0.1)
    assert step == pytest.approx(-0.001 * np.sign(gradient), rel=1e-3)  # Adam's first step.


def test_muon_is_read_back_with_its_settings() -> None:
    chosen = TRAINING.model_copy(
        update={"optimizer": "muon", "adamw_lr_multiplier": 0.1, "momentum": 0.9}
    )
    optimizer = build_optimizer(chosen)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert (again.adam_lr_ratio, again.momentum) == (0.1, 0.9)


def test_an_encoder_learns_at_a_rate_of_its_own() -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    photo = keras.Input((8, 8, 3))
    encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)], name="encoder")
    score = keras.layers.Conv2D(1, 1, activation="sigmoid")(encoder(photo))
    network = keras.Model(photo, score)
    settings = TRAINING.model_copy(update={"encoder_lr_multiplier": 0.1})
    compile_network(network, settings)
    before = [np.array(weight) for weight in network.trainable_weights]
    rng = np.random.default_rng(1)
    network.train_on_batch(rng.random((2, 8, 8, 3)), rng.random((2, 8, 8, 1)).round())
    steps = [
        np.abs(np.array(new) - old).max()
        for old, new in zip(before, network.trainable_weights, strict=True)
    ]
    assert steps == pytest.approx([0.001, 0.001, 0.01, 0.01], rel=0.01)


def test_a_rate_for_an_encoder_that_is_not_there() -> None:
    settings = TRAINING.model_copy(update={"encoder_lr_multiplier": 0.1})
    with pytest.raises(
        UserError, match=r"training\.encoder_lr_multiplier = 0\.1: the network segnet_unet"
    ):
        compile_network(tiny_network(), settings)


def one_weight(**settings: object) -> tuple[keras.Model, Callable[[float], float]]:
    """A network whose loss has a chosen gradient, and a step of its only weight, which starts at 0.

    The loss of a photo of brightness g is g times the weight.
    """
    photo = keras.Input((1, 1, 1))
    weight = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="zeros")
    network = keras.Model(photo, weight(photo))
    optimizer = build_optimizer(TRAINING.model_copy(update=settings))
    network.compile(optimizer=optimizer, loss=lambda _, output: keras.ops.mean(output, (1, 2, 3)))

    def step(gradient: float) -> float:
        network.train_on_batch(np.full((1, 1, 1, 1), gradient, np.float32), np.zeros((1, 1, 1, 1)))
        return float(np.array(network.get_weights()[0]).item())

    return network, step


def test_sgd_with_momentum_worked_out_by_hand() -> None:
    plain = {"optimizer": "sgd", "learning_rate": 0.1, "nesterov": False}
    _, step = one_weight(**plain, momentum=0.5)
    assert [step(1), step(1)] == pytest.approx([-0.1, -0.25])  # v = -0.1, then -0.05 - 0.1
    _, step = one_weight(**plain | {"nesterov": True}, momentum=0.5)
    assert [step(1), step(1)] == pytest.approx([-0.15, -0.325])  # 0.5 v - 0.1 each time


def test_gradients_are_clipped_together() -> None:
    _, step = one_weight(optimizer="sgd", learning_rate=0.1, momentum=0.0, global_clipnorm=2.0)
    assert step(50) == pytest.approx(-0.2)
    assert step(1) == pytest.approx(-0.3)


def test_accumulated_batches_make_one_step_of_their_mean() -> None:
    _, step = one_weight(
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.0,
        gradient_accumulation_steps=2,
        global_clipnorm=2.5,
    )
    assert [step(1), step(3), step(5), step(5)] == pytest.approx([0, -0.2, -0.2, -0.45])
