"""Counting weights by hand, and networks that have shapes but no memory."""

from typing import Any

import keras

from car_segmentation.networks.registry import build_network

VGG16 = [
    *[(3, 64), (64, 64)],
    *[(64, 128), (128, 128)],
    *[(128, 256), (256, 256), (256, 256)],
    *[(256, 512), (512, 512), (512, 512)],
    *[(512, 512), (512, 512), (512, 512)],
]
"""Inputs and outputs of VGG-16's thirteen 3×3 convolutions, 14,714,688 weights."""


def conv(inputs: int, outputs: int, kernel: int = 3) -> int:
    """Weights and biases of a convolution, transposed or not."""
    return kernel * kernel * inputs * outputs + outputs


def without_memory(architecture: str, height: int, width: int, **options: Any) -> keras.Model:
    """Build a network whose weights have shapes but no values: the full width is up to 1 GB."""
    with keras.StatelessScope(initialize_variables=False):
        network = build_network(architecture, height, width, **options)
    keras.utils.clear_session()  # Or the next scope would give them values after all.
    return network


def counts(network: keras.Model, end: str) -> list[int]:
    """Weights of each layer whose name ends so, in order."""
    return [layer.count_params() for layer in network.layers if layer.name.endswith(end)]
