from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.networks.registry import build_network
from car_segmentation.training.precision import precision

FILTERS = (8, 16, 32, 64, 128, 256, 512)
CENTRE = 1024
TINY = {"filters": [4, 8], "centre_filters": 8}


def conv(inputs: int, outputs: int) -> int:
    """Weights and biases of a 3×3 convolution."""
    return 9 * inputs * outputs + outputs


def test_parameters_of_the_posts_network_by_hand() -> None:
    trained = moving = 0
    channels = 3
    for filters in FILTERS:  # 7 encoder blocks of 2.
        trained += conv(channels, filters) + conv(filters, filters) + 2 * 2 * filters
        moving += 2 * 2 * filters
        channels = filters
    trained += conv(512, CENTRE) + conv(CENTRE, CENTRE) + 2 * 2 * CENTRE  # 2 in the centre.
    moving += 2 * 2 * CENTRE
    channels = CENTRE
    for filters in reversed(FILTERS):  # 7 decoder blocks of 3, the first on the concatenation.
        trained += conv(filters + channels, filters) + 2 * conv(filters, filters)
        trained += 3 * 2 * filters
        moving += 3 * 2 * filters
        channels = filters
    trained += 8 + 1  # 1 classifier, 1×1.
    assert (trained, moving) == (34_623_081, 14_256)
    network = build_network("segnet_unet", 1024, 1024)
    assert network.count_params() == trained + moving == 34_637_337
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == trained


def test_seven_two_seven_one() -> None:
    names = [layer.name for layer in build_network("segnet_unet", 256, 256).layers]
    assert sum("encoder" in n and n.endswith("_conv") for n in names) == 14
    assert sum(n.endswith("_pool") for n in names) == 7
    assert sum("centre" in n and n.endswith("_conv") for n in names) == 2
    assert sum("decoder" in n and n.endswith("_conv") for n in names) == 21
    assert names[-2:] == ["classifier", "probability"]


def test_the_skip_is_taken_before_pooling() -> None:
    network = build_network("segnet_unet", 64, 64, **TINY)
    skip, _ = network.get_layer("decoder1_concat").input
    assert skip is network.get_layer("encoder1_2_relu").output


@pytest.mark.parametrize("space_to_depth", [1, 2])
@pytest.mark.parametrize("size", [(32, 48), (33, 50)])
def test_probabilities_at_the_photos_size(size: tuple[int, int], space_to_depth: int) -> None:
    network = build_network("segnet_unet", *size, space_to_depth=space_to_depth, **TINY)
    photos = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8)
    probabilities = network.predict_on_batch(photos)
    assert probabilities.shape == (2, *size, 1)
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0 and probabilities.max() <= 1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_ends_in_float32(policy: str) -> None:
    with precision(policy):
        network = build_network("segnet_unet", 32, 32, **TINY)
    assert network.get_layer("encoder1_1_conv").compute_dtype == policy.removeprefix("mixed_")
    assert network.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_saved_and_loaded_in_safe_mode_it_predicts_the_same(tmp_path: Path) -> None:
    network = build_network("segnet_unet", 33, 32, space_to_depth=2, **TINY)
    photos = np.random.default_rng(0).integers(0, 256, (1, 33, 32, 3)).astype(np.uint8)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert np.array_equal(loaded.predict_on_batch(photos), network.predict_on_batch(photos))


def test_the_first_convolution_folds_whole_squares() -> None:
    """Pixels of one square move the same output of the folding convolution."""
    network = build_network("segnet_unet", 16, 16, space_to_depth=2, **TINY)
    kernel = network.get_layer("space_to_depth").kernel
    assert tuple(kernel.shape) == (6, 6, 3, 4)
    assert network.get_layer("encoder1_1_conv").input.shape == (None, 8, 8, 4)
