"""The model that the service answers with: loaded, checked, and exchanged while it runs."""

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.experiments import model_registry
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.folder_job import model_digest
from car_segmentation.prediction.photo_record import mask_warnings
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.threshold_file import threshold_beside
from car_segmentation.serving.metrics import Metrics

logger = logging.getLogger(__name__)

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


class LiveModel:
    """The model in use, and its successor as soon as there is one.

    Args:
        source: A ``.keras`` file with ``threshold.json`` beside it, the folder of an MLflow model,
            or its address: ``runs:/RUN/model``, ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        metrics: Told which model is in use.
        options: How photos are predicted.
        load: Makes a model of the source and its version, in place of `load_model`.
    """

    def __init__(
        self,
        source: str,
        metrics: Metrics,
        options: PredictionOptions = ONE_BY_ONE,
        load: Callable[[str, str], PhotoModel] | None = None,
    ):
        self._source = source
        self._metrics = metrics
        self._load = load or partial(load_model, options=options)
        self._version = current_version(source)
        self._failed: str | None = None
        self._stopped = threading.Event()
        self.current = self._load(source, self._version)
        metrics.set_model(self.current.identity)

    def follow(self, seconds: float) -> None:
        """Look for a newer model now and then, in a thread, until `stop`."""

        def look() -> None:
            while not self._stopped.wait(seconds):
                self.refresh()

        threading.Thread(target=look, name="model", daemon=True).start()

    def stop(self) -> None:
        """End `follow`."""
        self._stopped.set()

    def refresh(self) -> None:
        """Exchange the model if its source has another by now.

        Photos in work are finished with the model that they began with. One that cannot be loaded
        leaves the model in use, and is not tried again.
        """
        try:
            version = current_version(self._source)
            if version in (self._version, self._failed):
                return
            self._failed = version
            model = self._load(self._source, version)
        except Exception as error:  # A service goes on with what it has.
            self._metrics.loads_failed.inc()
            logger.warning("%s goes on: %s", self.current.identity.version, error)
            return
        self.current, self._version, self._failed = model, version, None
        self._metrics.set_model(model.identity)
        logger.warning("%s is in use now", model.identity.version)


def current_version(source: str) -> str:
    """What a source holds at the moment; changes when the model does.

    Raises:
        UserError: If there is nothing.
    """
    if model_registry.is_mlflow_model(source):
        return model_registry.resolve_alias(source)
    try:
        state = Path(source).stat()
    except OSError as error:
        raise UserError(f"There is no model in {source}: {error.strerror}.") from None
    return f"{state.st_mtime_ns} {state.st_size}"


def load_model(source: str, version: str, options: PredictionOptions = ONE_BY_ONE) -> PhotoModel:
    """Load a model with its threshold.

    Args:
        source: See `LiveModel`.
        version: What `current_version` says of it; what MLflow has is loaded by it, so that the
            alias may move meanwhile.
        options: How photos are predicted.

    Raises:
        UserError: If there is no such model, or it is none of this project's.
    """
    from car_segmentation.networks.model_file import (
        read_model,
    )  # Imports Keras, which takes seconds.

    is_mlflow_model = model_registry.is_mlflow_model(source)
    where = version if is_mlflow_model else source
    if is_mlflow_model or Path(source).is_dir():
        with model_registry.network_file(where) as file:
            network = read_model(file)
        threshold = model_registry.threshold(where)
    else:
        network = read_model(Path(source))
        threshold = threshold_beside(Path(source))
    segmenter = Segmenter.from_options(network, options, threshold)
    whole = f"{model_digest(segmenter.predictor)} {threshold}".encode()
    digest = hashlib.blake2b(whole, digest_size=DIGEST_BYTES).hexdigest()
    name = version.partition(":")[2].strip("/") if is_mlflow_model else digest
    # Where files lie here is nobody's business.
    shown = source if is_mlflow_model else Path(source).name
    return PhotoModel(segmenter, ModelIdentity(shown, name, digest, threshold))
