"""Prometheus metrics of the service."""

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

if TYPE_CHECKING:
    from car_segmentation.serving.photo_model import ModelIdentity

PREFIX = "car_segmentation"
SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """Counters of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            f"{PREFIX}_requests",
            "Requests; status 0: the client left before its answer.",
            ["path", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "From the head of a request to the end of its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.photos = Histogram(
            f"{PREFIX}_photo_seconds",
            "Decoding, predicting and encoding one photo.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.photos_rejected = Counter(
            f"{PREFIX}_photos_rejected", "Photos without a mask.", registry=self.registry
        )
        self.in_work = Gauge(f"{PREFIX}_in_work", "Photos in work.", registry=self.registry)
        self.waiting = Gauge(f"{PREFIX}_waiting", "Requests in the queue.", registry=self.registry)
        self.refused = Counter(
            f"{PREFIX}_refused", "Requests refused by a full queue.", registry=self.registry
        )
        self.loads_failed = Counter(
            f"{PREFIX}_model_loads_failed",
            "Newer models that could not be loaded; the previous model stays in use.",
            registry=self.registry,
        )
        self._model = Gauge(
            f"{PREFIX}_model",
            "1 for the model in use.",
            ["version", "digest"],
            registry=self.registry,
        )

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request; the path is a route's, never a caller's."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def set_model(self, model: "ModelIdentity") -> None:
        """Name the model in use."""
        self._model.clear()
        self._model.labels(model.version, model.digest).set(1)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return bytes(generate_latest(self.registry))
