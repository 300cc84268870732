"""The service with a model that needs no training, on loopback, and clients that send anything."""

import http.client
import io
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving.app import build_app
from car_segmentation.serving.connections import http_server
from car_segmentation.serving.live_model import LiveModel
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.photo_model import ModelIdentity, PhotoModel
from car_segmentation.serving.request_limits import ServiceLimits
from tests.support.models import Darkness
from tests.support.photos import disc_mask, photo_of

SHORT_LIMITS = ServiceLimits(
    body_megabytes=2,
    photo_megabytes=1,
    megapixels=1,
    photos=3,
    request_seconds=3,
    pause_seconds=1,
    answer_seconds=1,
    waiting=2,
)


class Slow(Darkness):
    """Takes its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return super().predict_on_batch(photos)


class Held(Darkness):
    """Predicts when it may; its first photo, of the start, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.photos = -1

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        if self.photos >= 0:
            assert self.go_on.wait(20)
        self.photos += 1
        return super().predict_on_batch(photos)


def identity(version: str = "toy/1") -> ModelIdentity:
    return ModelIdentity("toy", version, "0123456789ab", 0.5)


def live(source: Path, network: Any = None, metrics: Metrics | None = None) -> LiveModel:
    """A model that is not in the file."""
    source.touch()
    model = PhotoModel(Segmenter(network or Darkness()), identity())
    return LiveModel(str(source), metrics or Metrics(), load=lambda *_: model)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    def pixels(self) -> np.ndarray:
        assert self.status == 200, self.content
        return np.asarray(Image.open(io.BytesIO(self.content)))


@dataclass
class Service:
    """One that answers on loopback."""

    port: int
    model: LiveModel
    metrics: Metrics
    server: uvicorn.Server

    def open_connections(self) -> int:
        return len(self.server.server_state.connections)

    def ask(
        self,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def send_only(self, path: str, body: bytes) -> http.client.HTTPConnection:
        """A connection that has sent a request, and hears nothing of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, body)
        return connection

    def wait_for(self, metric: str, value: float) -> None:
        """Wait until a metric has a value."""
        end = time.monotonic() + 20
        while self.counted(metric) != value:
            assert time.monotonic() < end, f"{metric} is {self.counted(metric)}"
            time.sleep(0.01)

    def counted(self, line: str) -> float:
        """The value of a metric, by the beginning of its line."""
        for found in self.metrics.text().decode().splitlines():
            if found.startswith(line):
                return float(found.rpartition(" ")[2])
        return 0.0


@contextmanager
def running(
    folder: Path,
    network: Any = None,
    limits: ServiceLimits = SHORT_LIMITS,
    token: str | None = None,
    model: LiveModel | None = None,
) -> Iterator[Service]:
    metrics = Metrics()
    model = model or live(folder / "toy.keras", network, metrics)
    server = http_server(build_app(model, metrics, limits, token), limits, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Service(port, model, metrics, server)
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def image(photo: np.ndarray | None = None, kind: str = "JPEG", **options: Any) -> bytes:
    """The file of a photo, of a disc if no other is given."""
    content = io.BytesIO()
    picture = Image.fromarray(photo_of(disc_mask()) if photo is None else photo)
    picture.save(content, kind, **({"quality": 95} if kind == "JPEG" else {}), **options)
    return content.getvalue()


def form(*files: tuple[str, str, bytes], fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Body and headers of a form: files as (field, name, content)."""
    boundary = "xxBOUNDARYxx"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (fields or {}).items()
    ]
    for field, name, content in files:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return {"body": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


if __name__ == "__main__":  # A process of its own, for signals: PORT SECONDS FILE
    port, seconds, file = sys.argv[1:]
    metrics = Metrics()
    limits = ServiceLimits()
    app = build_app(live(Path(file), Slow(float(seconds)), metrics), metrics, limits)
    http_server(app, limits, "127.0.0.1", int(port)).run()
