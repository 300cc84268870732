"""The model that the service answers with, exchanged while it runs."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from car_segmentation.parameters import PredictionOptions
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.photo_model import (
    ONE_BY_ONE,
    PhotoModel,
    current_version,
    load_model,
)

logger = logging.getLogger(__name__)


class LiveModel:
    """The model in use, and its successor as soon as there is one.

    Args:
        source: See `load_model`.
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
        """Check for a newer model regularly, in a thread, until `stop`."""

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
        except Exception as error:  # The service keeps the model that it has.
            self._metrics.loads_failed.inc()
            logger.warning("Keeping %s: %s", self.current.identity.version, error)
            return
        self.current, self._version, self._failed = model, version, None
        self._metrics.set_model(model.identity)
        logger.warning("%s is in use now", model.identity.version)
