"""Models that travel to the workers of a cluster as files, not as pickles."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import numpy as np

from car_segmentation.core.file_place import FilePlace
from car_segmentation.prediction.ensemble import Ensemble
from car_segmentation.prediction.predictor import OnAnother, Predictor


@dataclass(frozen=True)
class StoredModel:
    """A Keras model in a file, read where it is used, once in a process: a worker's, say.

    Attributes:
        path: The ``.keras`` file, here or in a store; another model needs another path.
        input_shape: See `Predictor`.
    """

    path: FilePlace
    input_shape: tuple[int | None, ...]

    def predict_on_batch(self, photos: np.ndarray) -> Any:
        """See `Predictor`; by one thread at a time."""
        with _ONE_PREDICTS:
            return _read_model(self.path).predict_on_batch(photos)

    def to_json(self) -> str:
        """See `Predictor`."""
        return str(_read_model(self.path).to_json())

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return list(_read_model(self.path).get_weights())


_ONE_PREDICTS = threading.RLock()


def stored(predictor: Any, store: Callable[[Any], FilePlace]) -> Predictor:
    """A predictor that is cheap to send to workers: its Keras models are in files.

    Args:
        predictor: A Keras model, or what stands on some.
        store: Writes a model to a file.
    """
    if isinstance(predictor, Ensemble):
        return Ensemble([stored(member, store) for member in predictor.members])
    if isinstance(predictor, OnAnother):
        return cast(Predictor, replace(predictor, predictor=stored(predictor.predictor, store)))
    if not hasattr(predictor, "save"):
        return cast(Predictor, predictor)
    return StoredModel(store(predictor), tuple(predictor.input_shape))


def keras_model(predictor: Predictor) -> Any:
    """The Keras model that a predictor is, or that is in its file."""
    return _read_model(predictor.path) if isinstance(predictor, StoredModel) else predictor


@cache
def _read_model(path: FilePlace) -> Any:
    from car_segmentation.networks.model_file import read_model

    with path.reading() as file:
        return read_model(file)
