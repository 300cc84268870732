"""Optimisers, picked by name with `build_optimizer`."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from car_segmentation.parameters import Training


def build_optimizer(
    settings: Training, encoder_weights: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """The optimiser ``training.optimizer``, with the parameters that it takes.

    Its learning rate is a variable, which the training sets before each step (`learning_rate`).

    Args:
        settings: The training's parameters.
        encoder_weights: Their learning rate is ``encoder_lr_multiplier`` times the others'.
    """
    decay = settings.weight_decay
    momentum = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    optimizers: dict[str, tuple[type[keras.optimizers.Optimizer], dict[str, Any]]] = {
        "adam": (keras.optimizers.Adam, {}),
        "adamw": (keras.optimizers.AdamW, {"weight_decay": decay}),
        "sgd": (keras.optimizers.SGD, {"weight_decay": decay or None, **momentum}),
        "muon": (
            ConvolutionMuon,
            {
                "weight_decay": decay,
                "adam_weight_decay": decay,
                "adam_lr_ratio": settings.adamw_lr_multiplier,
                **momentum,
            },
        ),
    }
    optimizer, own = optimizers[settings.optimizer]
    if encoder_weights:
        optimizer = _with_lr_multiplier(optimizer, settings.encoder_lr_multiplier, encoder_weights)
    accumulated = settings.gradient_accumulation_steps
    return optimizer(
        settings.learning_rate,
        global_clipnorm=settings.global_clipnorm,
        gradient_accumulation_steps=accumulated if accumulated > 1 else None,
        use_ema=settings.ema_momentum is not None,
        ema_momentum=settings.ema_momentum or 0.99,
        **own,
    )


def _with_lr_multiplier(
    optimizer: type[keras.optimizers.Optimizer],
    multiplier: float,
    weights: Sequence[keras.Variable],
) -> type[keras.optimizers.Optimizer]:
    """An optimiser that updates some weights at another learning rate; weight decay stays."""
    scaled = {identity for weight in weights for identity in _identities(weight)}

    class Scaled(optimizer):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if id(variable) in scaled:
                learning_rate = learning_rate * multiplier
            super().update_step(gradient, variable, learning_rate)

    return Scaled


def _identities(weight: keras.Variable) -> list[int]:
    """The forms in which an optimiser may receive a weight: on TensorFlow, its own variables."""
    if keras.backend.backend() != "tensorflow":
        return [id(weight)]
    import tensorflow as tf

    return [id(v) for v in tf.distribute.get_strategy().experimental_local_results(weight.value)]


@keras.saving.register_keras_serializable("car_segmentation")
class ConvolutionMuon(keras.optimizers.Muon):
    """Muon for kernels of convolutions as well; Keras' own updates these by AdamW.

    A kernel is taken as the matrix from all that one output channel sees to the output channels
    (Jordan et al. 2024, "Muon", section "Experimental considerations"). AdamW updates the rest:
    biases, normalisation, and kernels that read or make a single channel, as a classifier's do.
    Steps are scaled so that Adam's learning rates fit (Liu et al. 2025, equation 4).
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
