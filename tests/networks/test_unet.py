from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.encoders import ENCODERS, EncoderName
from car_segmentation.networks.registry import build_network, check_options
from tests.support.layer_counts import conv, without_memory

SMALL: dict[str, Any] = {"encoder": "mobilenetv3_small", "width_multiplier": 0.1}

SKIP_CHANNELS = {
    "efficientnet_lite0": {2: 16, 4: 24, 8: 40, 16: 112},
    "mobilenetv3_small": {2: 16, 4: 16, 8: 24, 16: 48},
    "mobilenetv3_large": {2: 16, 4: 24, 8: 40, 16: 112},
    "efficientnetv2_b0": {2: 16, 4: 32, 8: 48, 16: 112},
    "efficientnetv2_s": {2: 24, 4: 48, 8: 64, 16: 160},
    "resnet50v2": {2: 64, 4: 256, 8: 512, 16: 1024},
    "convnext_tiny": {4: 96, 8: 192, 16: 384},
}
"""Channels of the last map of each stride, from the encoders' papers."""


def test_options_name_all_encoders() -> None:
    assert set(get_args(EncoderName)) == set(ENCODERS) == set(SKIP_CHANNELS)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_skips_are_the_last_maps_of_their_stride(encoder: str) -> None:
    pyramid = without_memory("unet", 64, 96, encoder=encoder).get_layer("encoder")
    *skips, deepest = [tensor.shape[1:] for tensor in pyramid.outputs]
    expected = [(64 // s, 96 // s, channels) for s, channels in SKIP_CHANNELS[encoder].items()]
    assert skips == expected
    assert deepest[:2] == (2, 3)


def test_parameters_on_resnet50v2() -> None:
    """The encoder's are Keras' 25.6 million less the top, 2048 × 1000 weights and 1000 biases."""
    network = without_memory("unet", 64, 64, encoder="resnet50v2")
    encoder = network.get_layer("encoder").count_params()
    assert encoder + 2048 * 1000 + 1000 == 25_613_800
    decoder = conv(16, 1, kernel=1)
    below = 2048
    for skip, filters in zip([1024, 512, 256, 64, 0], [256, 128, 64, 32, 16], strict=True):
        decoder += conv(below + skip, filters) + conv(filters, filters) + 2 * 4 * filters
        below = filters
    assert network.count_params() == encoder + decoder


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("resnet50v2", [-1, -0.6, 1]),
        ("mobilenetv3_small", [0, 51, 255]),
        ("efficientnet_lite0", [-127 / 128, -76 / 128, 1]),
    ],
)
def test_preprocessing_is_the_encoders(encoder: str, expected: list[float]) -> None:
    """ResNet wants -1 to 1, EfficientNet-Lite (x - 127) / 128; the others take 0 to 255."""
    network = without_memory("unet", 32, 32, encoder=encoder)
    preprocess = network.get_layer("preprocess")
    seen = np.asarray(preprocess(np.array([[[[0, 51, 255]]]], np.uint8))).ravel()
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_a_frozen_encoder_stays_frozen_when_saved(tmp_path: Path) -> None:
    network = build_network("unet", 32, 32, freeze_encoder=True, **SMALL)
    decoder = [weight.path for weight in network.trainable_weights]
    assert decoder and all(path.startswith(("decoder", "classifier")) for path in decoder)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert [weight.path for weight in loaded.trainable_weights] == decoder


def test_a_frozen_encoder_keeps_its_moving_statistics() -> None:
    network = build_network("unet", 32, 32, freeze_encoder=True, **SMALL)
    before = network.get_layer("encoder").get_weights()
    network(np.full((2, 32, 32, 3), 200, np.uint8), training=True)
    for old, new in zip(before, network.get_layer("encoder").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_from_a_file(tmp_path: Path) -> None:
    pretrained = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    pretrained.save_weights(tmp_path / "encoder.weights.h5")
    network = build_network("unet", 32, 32, weights=str(tmp_path / "encoder.weights.h5"), **SMALL)
    loaded = network.get_layer("encoder").get_weights()
    for old, new in zip(pretrained.get_weights(), loaded, strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_that_do_not_exist() -> None:
    with pytest.raises(UserError, match=r"network\.weights = 'imagnet': is neither"):
        build_network("unet", 32, 32, weights="imagnet", **SMALL)


def test_the_decoder_has_five_blocks() -> None:
    with pytest.raises(UserError, match="needs five numbers"):
        build_network("unet", 32, 32, decoder_filters=[8, 8])


def test_an_unknown_encoder_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"network\.encoder = 'vgg': .*'mobilenetv3_small'"):
        check_options("unet", {"encoder": "vgg"})
