"""Read a model from its file."""

from pathlib import Path

import keras

# Keras finds layers by the names under which these files register them.
from car_segmentation.networks import bilinear_upsampling, max_unpooling  # noqa: F401
from car_segmentation.networks.model_check import read_keras_file


def read_model(path: Path) -> keras.Model:
    """Read a ``.keras`` file, checked to be a model of this project: see `read_keras_file`."""
    return read_keras_file(path)
