"""Predictors of photos: a Keras model, or several predictions averaged."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from car_segmentation.core.errors import UserError


class Predictor(Protocol):
    """Photos of one size (or of any) to probability maps.

    A Keras model is one. `Ensemble`, `TestTimeAugmentation` and `Tiles` are others, and each can
    stand on another: tiles of mirrored views of an ensemble.
    """

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(batch, height, width, 3); None for what may be of any size."""

    def predict_on_batch(self, photos: np.ndarray) -> Any:
        """Probability maps, float32 (batch, height, width, 1), of uint8 RGB photos."""

    def to_json(self) -> str:
        """The architecture, and all else that decides about results but the weights."""

    def get_weights(self) -> list[np.ndarray]:
        """The weights of every network in it."""


@dataclass(frozen=True)
class OnAnother:
    """What the predictors that stand on another one have in common.

    Attributes:
        predictor: The other one.
    """

    predictor: Predictor

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """As that of the other one."""
        return tuple(self.predictor.input_shape)

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return self.predictor.get_weights()


def model_digest(model: Predictor) -> str:
    """Tells models apart: a digest of architecture and weights.

    The precision does not count: it depends on the processor, and a job may go on elsewhere.
    """
    architecture = re.sub("(mixed_)?b?float16", "float32", model.to_json())
    digest = hashlib.blake2b(architecture.encode(), digest_size=16)
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()


def predict_full_batch(
    predictor: Predictor, photos: Sequence[np.ndarray] | np.ndarray, batch_size: int
) -> np.ndarray:
    """Predict at most ``batch_size`` photos in a batch of exactly that size.

    The batch is filled up with black: one shape is compiled once, and a photo's probabilities do
    not depend on how many came with it.

    Args:
        predictor: Takes photos of this size.
        photos: uint8 RGB (height, width, 3), at least one.
        batch_size: Photos in the batch.

    Returns:
        float32 (photos, height, width), 0 to 1.

    Raises:
        UserError: If one is NaN; compared with a threshold, it would pass for background.
    """
    batch = np.zeros((batch_size, *photos[0].shape), np.uint8)
    for row, photo in enumerate(photos):
        batch[row] = photo
    maps: np.ndarray = np.asarray(predictor.predict_on_batch(batch))[: len(photos), ..., 0]
    if np.isnan(maps).any():
        raise UserError(
            "The model predicts NaN (not a number), of which no mask can be made. Its "
            "weights, or arithmetic in half precision on this machine, are at fault: train with "
            "training.precision=float32, or choose another model (model=…)."
        )
    return maps
