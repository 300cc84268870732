"""A segmenter of a model's file, or of one that MLflow has, for several threads.

What a model does not need is not imported: neither Keras for an ONNX file, nor MLflow for files.
"""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_mlflow_model
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.exported_model import ExportedModel
from car_segmentation.prediction.photo_record import mask_warnings
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.threshold_file import threshold_beside

DIGEST_BYTES = 6
TRIED_SIZE = (256, 256)
"""Height and width of the first photo of a segmenter that predicts any size."""
ONE_BY_ONE = PredictionOptions(batch_size=1)


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made a mask.

    Attributes:
        source: What the service was started with: a file's name, or an address of MLflow's.
        version: What it is called: ``car_segmentation/7`` in a registry, a file's digest else.
        digest: Of architecture and weights.
        threshold: Probability from which a pixel is car.
    """

    source: str
    version: str
    digest: str
    threshold: float


class PhotoModel:
    """A segmenter that several threads use, one at a time where it predicts.

    Args:
        segmenter: From photos to masks.
        identity: What it is.
    """

    def __init__(self, segmenter: Segmenter, identity: ModelIdentity):
        self.identity = identity
        self.segmenter = segmenter
        self._is_free = threading.Lock()
        height, width = segmenter.input_size or TRIED_SIZE
        self.probability(np.zeros((height, width, 3), np.uint8))  # The first run compiles.

    def probability(self, photo: np.ndarray) -> np.ndarray:
        """See `Segmenter.probability`."""
        resized = self.segmenter.resize(photo)
        with self._is_free:
            (small,) = self.segmenter.predict_batch([resized])
        return to_native_size(small, *photo.shape[:2])

    def warnings(self, mask: np.ndarray) -> str:
        """See `mask_warnings`."""
        return mask_warnings(mask, mask.shape, self.segmenter.input_size or mask.shape)


def current_version(source: str) -> str:
    """Version of the model in a source; changes when the model does.

    Args:
        source: See `load_model`.

    Raises:
        UserError: If there is nothing.
    """
    if is_mlflow_model(source):
        from car_segmentation.experiments import model_registry

        return model_registry.resolve_alias(source)
    try:
        state = Path(source).stat()
    except OSError as error:
        raise UserError(f"There is no model in {source}: {error.strerror}.") from None
    return f"{state.st_mtime_ns} {state.st_size}"


def load_model(source: str, version: str, options: PredictionOptions = ONE_BY_ONE) -> PhotoModel:
    """Load a model with its threshold.

    Args:
        source: A ``.keras`` or exported ``.onnx`` file with ``threshold.json`` beside it, the
            folder of an MLflow model, or its address: ``runs:/RUN/model``,
            ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        version: What `current_version` says of it; what MLflow has is loaded by it, so that the
            alias may move meanwhile.
        options: How photos are predicted.

    Raises:
        UserError: If there is no such model, or it is none of this project's.
    """
    is_in_mlflow = is_mlflow_model(source)
    predictor, threshold = _read(version if is_in_mlflow else source)
    segmenter = Segmenter.from_options(predictor, options, threshold)
    whole = f"{model_digest(segmenter.predictor)} {threshold}".encode()
    digest = hashlib.blake2b(whole, digest_size=DIGEST_BYTES).hexdigest()
    name = version.partition(":")[2].strip("/") if is_in_mlflow else digest
    # Where files lie here is nobody's business.
    shown = source if is_in_mlflow else Path(source).name
    return PhotoModel(segmenter, ModelIdentity(shown, name, digest, threshold))


def _read(where: str) -> tuple[Any, float]:
    """The model that predicts, and its threshold."""
    path = Path(where)
    if path.suffix == ".onnx":
        return ExportedModel(path), threshold_beside(path)
    from car_segmentation.networks.keras_start import start_keras

    start_keras()
    from car_segmentation.networks.model_file import read_model

    if path.is_file() or path.suffix == ".keras":
        return read_model(path), threshold_beside(path)
    from car_segmentation.experiments import model_registry

    with model_registry.network_file(where) as file:
        return read_model(file), model_registry.threshold(where)
