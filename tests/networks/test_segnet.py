from tests.support.layer_counts import VGG16, conv, counts, without_memory

DECODER = [
    *[(512, 512), (512, 512), (512, 512)],
    *[(512, 512), (512, 512), (512, 256)],
    *[(256, 256), (256, 256), (256, 128)],
    *[(128, 128), (128, 64)],
    *[(64, 64)],
]
"""Inputs and outputs of conv5_3_D to conv1_2_D in the authors' segnet_train.prototxt."""

NORMALISED = sum(outputs for _, outputs in VGG16 + DECODER)
"""Channels with a scale and a shift: conv1_1_D, the classifier, has none."""


def test_parameters_layer_by_layer() -> None:
    network = without_memory("segnet", 360, 480)
    assert counts(network, "_conv") == [conv(*shape) for shape in VGG16 + DECODER]
    assert counts(network, "classifier") == [conv(64, 1)]
    assert counts(network, "_bn") == [4 * outputs for _, outputs in VGG16 + DECODER]
    assert network.count_params() == 29_459_457


def test_parameters_at_the_papers_settings() -> None:
    """With the eleven classes of CamVid, the authors' file has 29.45 million to be learned."""
    encoder = sum(conv(*shape) for shape in VGG16)
    assert encoder == 14_714_688  # Section 3: 14.7 million.
    decoder = sum(conv(*shape) for shape in DECODER)
    assert encoder + decoder + conv(64, 11) + 2 * NORMALISED == 29_449_355
    ours = without_memory("segnet", 360, 480)
    moving_statistics = 2 * NORMALISED
    assert ours.count_params() - conv(64, 1) + conv(64, 11) - moving_statistics == 29_449_355
