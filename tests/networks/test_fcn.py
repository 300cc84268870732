import keras
import numpy as np
import pytest

from car_segmentation.networks.fcn import upsample
from car_segmentation.networks.registry import build_network
from tests.support.layer_counts import VGG16, conv, without_memory

SKIPS = {"fcn32s": [], "fcn16s": [512], "fcn8s": [512, 256]}
"""Channels of the pooling layers that are scored."""


def bilinear(side: int) -> int:
    """Weights of a transposed convolution without bias, from one channel to one."""
    return side * side


def vgg_with_scores(classes: int, skips: list[int]) -> int:
    body = sum(conv(*shape) for shape in VGG16)
    fully_connected = conv(512, 4096, kernel=7) + conv(4096, 4096, kernel=1)
    assert (body, fully_connected) == (14_714_688, 119_545_856)
    return body + fully_connected + sum(conv(c, classes, kernel=1) for c in [4096, *skips])


def test_the_papers_134_million() -> None:
    """Table 1, FCN-VGG16, with the 21 classes of PASCAL VOC, before the upsampling."""
    assert vgg_with_scores(21, SKIPS["fcn32s"]) == 134_346_581


@pytest.mark.parametrize(
    ("architecture", "learned_upsampling", "last_upsampling"),
    [
        ("fcn32s", 0, bilinear(64)),
        ("fcn16s", bilinear(4), bilinear(32)),
        ("fcn8s", 2 * bilinear(4), bilinear(16)),
    ],
)
def test_parameters(architecture: str, learned_upsampling: int, last_upsampling: int) -> None:
    network = without_memory(architecture, 64, 64)
    trained = vgg_with_scores(1, SKIPS[architecture]) + learned_upsampling
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == trained
    assert network.count_params() == trained
    learned = without_memory(architecture, 64, 64, learn_final_upsampling=True)
    assert learned.count_params() == trained + last_upsampling


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_upsampling_starts_as_bilinear_interpolation(factor: int) -> None:
    score = keras.Input((3, 5, 1))
    network = keras.Model(score, upsample(score, factor, "upsample"))
    scores = np.random.default_rng(0).normal(size=(2, 3, 5, 1)).astype(np.float32)
    expected = keras.ops.image.resize(scores, (3 * factor, 5 * factor), interpolation="bilinear")
    np.testing.assert_allclose(network.predict_on_batch(scores), np.asarray(expected), atol=1e-6)


@pytest.mark.parametrize("learn", [False, True])
def test_the_last_upsampling_is_fixed_unless_asked(learn: bool) -> None:
    network = build_network("fcn16s", 32, 32, width_multiplier=0.02, learn_final_upsampling=learn)
    assert network.get_layer("upsample_to_pool4").trainable_weights
    assert bool(network.get_layer("upsample").trainable_weights) is learn


def test_a_fixed_last_upsampling_is_what_a_learned_one_starts_from() -> None:
    fixed, learned = (
        build_network("fcn8s", 64, 96, width_multiplier=0.02, learn_final_upsampling=learn)
        for learn in (False, True)
    )
    weights = [np.random.default_rng(0).normal(size=w.shape) * 0.1 for w in fixed.weights]
    fixed.set_weights(weights)
    learned.set_weights([*weights, learned.get_layer("upsample").get_weights()[0]])
    photos = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)
    expected = learned.predict_on_batch(photos)
    assert expected.std() > 0
    np.testing.assert_allclose(fixed.predict_on_batch(photos), expected, atol=1e-5)


def test_fcn32s_trains_at_a_size_of_use() -> None:
    """The gradient of a transposed convolution with a kernel of 64×64 took 54 GB."""
    network = build_network("fcn32s", 320, 480, width_multiplier=0.02)
    network.compile("sgd", "binary_crossentropy")
    photos = np.zeros((1, 320, 480, 3), np.uint8)
    assert np.isfinite(network.train_on_batch(photos, np.zeros((1, 320, 480, 1), np.float32)))


def test_it_starts_undecided() -> None:
    """Scoring layers start at zero."""
    network = build_network("fcn8s", 32, 32, width_multiplier=0.02)
    photos = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    assert (network.predict_on_batch(photos) == 0.5).all()
