"""Read a model from its file, in the precision that is fast on the processor at hand."""

from pathlib import Path

import keras

from car_segmentation.core.processor import multiplies_bfloat16

# Keras finds layers by the names under which these files register them.
from car_segmentation.networks import bilinear_upsampling, max_unpooling  # noqa: F401
from car_segmentation.networks.model_check import read_keras_file
from car_segmentation.networks.precision import computes_in_half, in_float32


def read_model(path: Path) -> keras.Model:
    """Read a ``.keras`` file, checked to be a model of this project: see `read_keras_file`.

    A model that was trained in bfloat16 computes in float32 where the processor does not multiply
    bfloat16 in hardware: its weights are float32 anyway.
    """
    model = read_keras_file(path)
    return model if multiplies_bfloat16() or not computes_in_half(model) else in_float32(model)
