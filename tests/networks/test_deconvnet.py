import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.registry import build_network, check_options
from tests.support.layer_counts import VGG16, conv, counts, without_memory

DECODER = [
    *[(512, 512), (512, 512), (512, 512)],
    *[(512, 512), (512, 512), (512, 256)],
    *[(256, 256), (256, 256), (256, 128)],
    *[(128, 128), (128, 64)],
    *[(64, 64), (64, 64)],
]
"""Inputs and outputs of deconv5_1 to deconv1_2 in the authors' stage_2_train.prototxt."""

BOTTLENECK = [conv(512, 4096, kernel=7), conv(4096, 4096, kernel=1)]
FC6_DECONV = conv(4096, 512, kernel=7)
NORMALISED = sum(outputs for _, outputs in VGG16 + DECODER) + 4096 + 4096 + 512


def test_parameters_layer_by_layer() -> None:
    network = without_memory("deconvnet", 224, 224)
    assert counts(network, "_conv") == [conv(*shape) for shape in VGG16] + BOTTLENECK
    assert counts(network, "_deconv") == [FC6_DECONV] + [conv(*shape) for shape in DECODER]
    assert counts(network, "classifier") == [conv(64, 1, kernel=1)]
    assert network.count_params() == 251_837_761


def test_parameters_at_the_papers_settings() -> None:
    """252 million, with the 21 classes of PASCAL VOC, before scales and shifts."""
    convolutions = sum(conv(*shape) for shape in VGG16 + DECODER) + sum(BOTTLENECK) + FC6_DECONV
    classifier = conv(64, 21, kernel=1)
    assert convolutions + classifier == 251_772_245
    ours = without_memory("deconvnet", 224, 224).count_params()
    assert ours == convolutions + conv(64, 1, kernel=1) + 4 * NORMALISED


def test_the_bottleneck_is_one_pixel() -> None:
    network = build_network("deconvnet", 50, 70, width_multiplier=0.02, body_size=96)
    assert network.get_layer("fc6_conv").output.shape[1:3] == (1, 1)
    assert network.get_layer("fc6_deconv_deconv").output.shape[1:3] == (3, 3)


def test_the_body_is_a_multiple_of_32() -> None:
    with pytest.raises(UserError, match=r"network\.body_size = 100: .*multiple of 32"):
        check_options("deconvnet", {"body_size": 100})
