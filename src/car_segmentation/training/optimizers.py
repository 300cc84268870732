"""Muon for convolutions."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("car_segmentation")
class ConvolutionMuon(keras.optimizers.Muon):
    """Muon, of kernels of convolutions as well; Keras' own leaves these to AdamW.

    A kernel is taken as the matrix from all that one output channel sees to the output channels
    (Jordan et al. 2024, "Muon", section "Experimental considerations"). What is no such matrix is
    left to AdamW: biases, normalisation, and kernels that read or make a single channel, as a
    classifier's do. Steps are scaled so that Adam's learning rates fit (Liu et al. 2025, equation
    4).
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 4 or min(variable.shape[-2:]) == 1

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Make a kernel's update nearly orthogonal; see Keras' Muon."""
        matrix = super().zeropower_via_newtonschulz5(_as_matrix(x), steps)
        return ops.reshape(matrix, x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """Scale a kernel's update by its sides; see Keras' Muon."""
        return ops.reshape(super().lr_adjust(_as_matrix(x)), x.shape)


def _as_matrix(kernel: Any) -> Any:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))
