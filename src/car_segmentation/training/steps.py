"""One step of a training, or of a validation, on one batch.

Keras' ``train_on_batch`` is enough on JAX. On TensorFlow it makes a graph for each size of a batch,
and another for any size once it has met two; here one graph takes all of them.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from car_segmentation.training.batches import Batch
from car_segmentation.training.devices import Devices

Step = Callable[[Batch], dict[str, float]]
"""From a batch to ``loss`` and ``dice``, means over its photos."""


def training_step(network: keras.Model, devices: Devices) -> Step:
    """A function that changes a compiled network by one batch."""
    return _step(network, devices, "train")


def validation_step(network: keras.Model, devices: Devices) -> Step:
    """A function that tries a compiled network on one batch."""
    return _step(network, devices, "test")


def _step(network: keras.Model, devices: Devices, kind: str) -> Step:
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_step(network, devices, getattr(network, f"{kind}_step"))
    on_batch = getattr(network, f"{kind}_on_batch")

    def step(batch: Batch) -> dict[str, float]:
        metrics = on_batch(batch.photos, batch.masks, batch.weights, return_dict=True)
        return {name: float(metrics[name]) for name in sorted(metrics)}

    return step


def _tensorflow_step(network: keras.Model, devices: Devices, step: Callable[..., Any]) -> Step:
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    graphs: dict[Any, Callable[..., Any]] = {}
    _make_metrics(network)

    def step_on_all(*data: Any) -> dict[str, Any]:
        network.reset_metrics()
        return strategy.run(step, args=(data,))

    def run(batch: Batch) -> dict[str, float]:
        data = [part for part in (batch.photos, batch.masks, batch.weights) if part is not None]
        key = tuple((part.shape[1:], part.dtype) for part in data)
        if key not in graphs:
            signature = [tf.TensorSpec((None, *shape), dtype) for shape, dtype in key]
            graphs[key] = tf.function(
                step_on_all,
                # Parts for several devices have no such signature.
                input_signature=None if devices.mirrored else signature,
                reduce_retracing=True,
                autograph=False,
                jit_compile=network.jit_compile or None,
            )
        means = graphs[key](*devices.spread(data))
        # Each device has the loss as a sum divided by the number of photos, other means by weight.
        photos = np.ones(devices.count) if batch.weights is None else batch.weights
        weights = [part.sum() for part in np.split(photos, devices.count)]
        return {
            name: float(
                np.average(
                    [float(part) for part in strategy.experimental_local_results(means[name])],
                    weights=None if name == "loss" else weights,
                )
            )
            for name in sorted(means)
        }

    return run


def _make_metrics(network: keras.Model) -> None:
    """Have Keras make its metrics; made in the first step, they would have it traced twice."""
    pixel = np.zeros((1, 1, 1, 1), np.float32)
    network.compute_metrics(pixel, pixel, pixel)
    network.reset_metrics()
