from typing import Any

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.registry import build_network
from car_segmentation.training.precision import precision
from car_segmentation.training.start_weights import take_weights

TINY: dict[str, dict[str, Any]] = {
    "deconvnet": {"width_multiplier": 0.02, "body_size": 32},
    "fcn8s": {"width_multiplier": 0.02},
    "segnet": {"width_multiplier": 0.02},
    "segnet_unet": {"filters": [4, 8], "centre_filters": 8},
    "unet": {"encoder": "mobilenetv3_small", "width_multiplier": 0.1},
}
SIZE, OTHER_SIZE = (32, 64), (49, 62)
"""The second is padded in the network, and cropped again."""


def built(architecture: str, size: tuple[int, int], seed: int, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_network(architecture, *size, **(TINY.get(architecture, {}) | options))


@pytest.mark.parametrize("architecture", TINY)
def test_the_same_weights_at_the_same_and_at_another_size(architecture: str) -> None:
    trained = built(architecture, SIZE, 1)
    for weight in trained.weights:  # Moving statistics too.
        weight.assign(weight + 0.01)
    photos = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)
    expected = trained.predict_on_batch(photos)
    for size in (SIZE, OTHER_SIZE):
        network = built(architecture, size, 2)
        assert not same_weights(network, trained)
        take_weights(network, trained, "a.keras")
        assert same_weights(network, trained)
        assert network.output_shape == (None, *size, 1)
        if size == SIZE:
            np.testing.assert_array_equal(network.predict_on_batch(photos), expected)


def same_weights(network: keras.Model, other: keras.Model) -> bool:
    pairs = zip(network.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(one, another) for one, another in pairs)


def test_what_matters_in_training_alone_may_differ() -> None:
    with precision("mixed_bfloat16"):
        trained = built("segnet_unet", SIZE, 1, batch_norm_momentum=0.9)
    network = built("segnet_unet", SIZE, 2, batch_norm_momentum=0.5)
    take_weights(network, trained, "a.keras")
    assert same_weights(network, trained)
    assert {layer.compute_dtype for layer in network.layers[1:]} == {"float32"}
    with precision("float32"):
        trained = built("fcn8s", SIZE, 1, dropout=0.1)
    take_weights(built("fcn8s", SIZE, 2), trained, "a.keras")
    take_weights(built("unet", SIZE, 1, freeze_encoder=True), built("unet", SIZE, 1), "a.keras")


@pytest.mark.parametrize(
    ("architecture", "options", "difference"),
    [
        (
            "segnet_unet",
            {"filters": [4, 16]},
            "filters of its layer encoder2_1_conv is 8, and of encoder2_1_conv in the network of "
            "this run 16",
        ),
        (
            "segnet_unet",
            {"filters": [4, 8, 8]},
            # 12 convolutions with normalisation and ReLU, and 9 others; a level more has 18 more.
            "it is segnet_unet of 45 layers and 5,677 parameters, and the network of this run "
            "segnet_unet of 63 layers and ",
        ),
        ("segnet", {}, "it is segnet_unet of 45 layers and 5,677 parameters, and the network"),
    ],
)
def test_another_network_is_refused_in_a_sentence_and_left_as_it_is(
    architecture: str, options: dict[str, Any], difference: str
) -> None:
    trained, network = built("segnet_unet", SIZE, 1), built(architecture, SIZE, 2, **options)
    before = network.get_weights()
    with pytest.raises(UserError) as refusal:
        take_weights(network, trained, "a.keras")
    assert str(refusal.value).startswith(f"training.start_from = a.keras: {difference}")
    assert "\n" not in str(refusal.value)
    for weight, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, now)


def test_the_same_layers_with_other_shapes_of_weights_are_refused() -> None:
    photo, grey = keras.Input((8, 8, 3)), keras.Input((8, 8, 1))
    trained, network = (keras.Model(x, keras.layers.Conv2D(1, 1)(x)) for x in (grey, photo))
    with pytest.raises(
        UserError, match=r"shape of weights of its layer .* \[\(1, 1, 1, 1\), \(1,\)\]"
    ):
        take_weights(network, trained, "a.keras")
