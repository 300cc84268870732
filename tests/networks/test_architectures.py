"""What holds for every architecture, on networks small enough for a test."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from car_segmentation.networks.folding import fold_batch_norm
from car_segmentation.networks.precision import (
    computes_in_half,
    in_float32,
    in_mixed_bfloat16,
)
from car_segmentation.networks.registry import ARCHITECTURES, build_network
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.training.losses import bce_dice
from car_segmentation.training.precision import precision
from tests.support.photos import disc_mask, photo_of

SIZE = (61, 50)
"""Odd, and no multiple of what any of them works with."""

FEW_STEPS = {"batch_norm_momentum": 0.5}
FCN = {"width_multiplier": 0.05, "dropout": 0.0}
TINY: dict[str, dict[str, Any]] = {
    "deconvnet": {"width_multiplier": 0.05, "body_size": 64, **FEW_STEPS},
    "fcn16s": FCN,
    "fcn32s": FCN,
    "fcn8s": FCN,
    "segnet": {"width_multiplier": 0.05, **FEW_STEPS},
    "segnet_unet": {"filters": [4, 8, 8], "centre_filters": 8, **FEW_STEPS},
    "unet": {"encoder": "mobilenetv3_small", "width_multiplier": 0.1, **FEW_STEPS},
}
DISCS = np.stack([disc_mask(*SIZE, radius) for radius in (14, 20)])
HORIZONS = np.stack([np.indices(SIZE)[0] >= row for row in (26, 36)])
"""For a stride of 16 or 32: between so few scores interpolation cannot draw a small disc."""


SLOW = ("deconvnet", "segnet", "unet")
"""Those of many layers."""


class Trained(NamedTuple):
    """A network that has seen two photos many times, and its weights before."""

    network: keras.Model
    photos: np.ndarray
    masks: np.ndarray
    before: list[np.ndarray]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in ARCHITECTURES
    ],
)
def trained(request: pytest.FixtureRequest) -> Trained:
    architecture = request.param
    masks = HORIZONS if architecture in ("fcn16s", "fcn32s") else DISCS
    photos = np.stack([photo_of(mask) for mask in masks])
    keras.utils.set_random_seed(1)
    network = build_network(architecture, *SIZE, **TINY[architecture])
    before = network.get_weights()
    network.compile(
        # FCN has no batch normalisation to forgive the higher rate.
        keras.optimizers.Adam(0.002 if architecture.startswith("fcn") else 0.01),
        bce_dice,
        jit_compile=keras.backend.backend() == "jax",  # On TensorFlow it takes long to compile.
    )
    truth = masks[..., np.newaxis].astype(np.float32)
    for _ in range(30):
        for _ in range(10):
            network.train_on_batch(photos, truth)
        if worst_dice(network, photos, masks) >= 0.99:
            break
    return Trained(network, photos, masks, before)


def worst_dice(network: keras.Model, photos: np.ndarray, masks: np.ndarray) -> float:
    predicted = network.predict_on_batch(photos)[..., 0] > 0.5
    overlap = (predicted & masks).sum(axis=(1, 2))
    return float((2 * overlap / (predicted.sum(axis=(1, 2)) + masks.sum(axis=(1, 2)))).min())


def test_two_photos_are_learned_by_heart(trained: Trained) -> None:
    assert worst_dice(trained.network, trained.photos, trained.masks) >= 0.99


def test_gradients_reach_every_weight(trained: Trained) -> None:
    trainable = {weight.path for weight in trained.network.trainable_weights}
    still = [
        weight.path
        for weight, old, new in zip(
            trained.network.weights, trained.before, trained.network.get_weights(), strict=True
        )
        if weight.path in trainable and np.array_equal(old, new)
    ]
    assert trainable and not still


def test_probabilities_at_the_photos_size(trained: Trained) -> None:
    probabilities = trained.network.predict_on_batch(trained.photos)
    assert probabilities.shape == (2, *SIZE, 1)
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0 and probabilities.max() <= 1


def test_saved_and_loaded_in_safe_mode_it_predicts_the_same(
    trained: Trained, tmp_path: Path
) -> None:
    trained.network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
    assert len(loaded.trainable_weights) == len(trained.network.trainable_weights)
    np.testing.assert_array_equal(
        loaded.predict_on_batch(trained.photos), trained.network.predict_on_batch(trained.photos)
    )


def test_folded_it_predicts_the_same(trained: Trained) -> None:
    folded = fold_batch_norm(trained.network)
    assert len(folded.layers) < len(trained.network.layers) or not _batch_norms(trained.network)
    assert not _batch_norms(folded)
    np.testing.assert_allclose(
        folded.predict_on_batch(trained.photos),
        trained.network.predict_on_batch(trained.photos),
        atol=1e-4,
    )


def _batch_norms(network: keras.Model) -> list[str]:
    names = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            names += _batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            names.append(layer.name)
    return names


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_half_precision_ends_in_float32(architecture: str) -> None:
    with precision("mixed_bfloat16"):
        network = build_network(architecture, *SIZE, **TINY[architecture])
    assert network.output.dtype == "float32"
    assert any(layer.compute_dtype == "bfloat16" for layer in network.layers)


def test_trained_in_float32_it_predicts_in_bfloat16_and_back(trained: Trained) -> None:
    network, photos = trained.network, trained.photos
    half = in_mixed_bfloat16(network)
    assert computes_in_half(half) and not computes_in_half(network)
    assert model_digest(half) == model_digest(in_float32(network))
    parts = [part for layer in half.layers for part in getattr(layer, "layers", [layer])]
    with_weights = [layer for layer in parts if layer.weights]
    assert with_weights[0].compute_dtype == "bfloat16"
    assert with_weights[-1].compute_dtype == half.layers[-1].compute_dtype == "float32"
    expected = network.predict_on_batch(photos)
    # bfloat16 has 8 bits, and a photo's error is larger where the network is undecided.
    assert np.abs(half.predict_on_batch(photos) - expected).mean() < 0.01
    np.testing.assert_array_equal(in_float32(half).predict_on_batch(photos), expected)
