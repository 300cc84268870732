"""The precision in which layers compute: a Keras dtype policy."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from car_segmentation.core.processor import multiplies_bfloat16
from car_segmentation.parameters import Training

logger = logging.getLogger(__name__)


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build the layers inside the block with a Keras dtype policy, such as ``mixed_bfloat16``."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def with_precision(settings: Training) -> Training:
    """The settings with the precision that ``auto`` stands for on this processor.

    That is bfloat16 where the processor multiplies it in hardware. Elsewhere a step in it takes
    many times as long as in float32: explicit values stay, with a warning.
    """
    fast = multiplies_bfloat16()
    if settings.precision == "auto":
        chosen = "mixed_bfloat16" if fast else "float32"
        logger.info(
            "training.precision: %s, since this processor %s bfloat16 in hardware.",
            chosen,
            "multiplies" if fast else "does not multiply",
        )
        return settings.model_copy(update={"precision": chosen})
    if settings.precision != "float32" and not fast and not _has_accelerator():
        logger.warning(
            "training.precision = %s: this processor has no hardware for it, and a step takes many "
            "times as long as in float32. Set training.precision=auto.",
            settings.precision,
        )
    return settings


def _has_accelerator() -> bool:
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
