"""Clients that are slow, silent, or gone; signals. All on loopback, with short times."""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from car_segmentation.serving.connections import http_protocol
from tests.support.services import SHORT_LIMITS, Service, image, running

HEAD = b"POST /masks HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"POST /masks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class SlowClient(threading.Thread):
    """Sends a beginning, then a piece every tenth of a second, until it is closed."""

    def __init__(self, port: int, begin: bytes, piece: bytes) -> None:
        super().__init__(daemon=True)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._begin, self._piece = begin, piece
        self.answer = b""
        self.start()

    def run(self) -> None:
        self._socket.settimeout(0.1)
        try:
            self._socket.sendall(self._begin)
            while True:
                try:
                    received = self._socket.recv(4096)
                    if not received:
                        return
                    self.answer += received
                except TimeoutError:
                    self._socket.sendall(self._piece)
        except OSError:
            return
        finally:
            self._socket.close()


SLOW: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "half a head": (b"POST /masks HTTP/1.1\r\nHost:", b""),
    "a head, a byte at a time": (b"POST /masks HTTP/1.1\r\nX: ", b"x"),
    "no body": (HEAD, b""),
    "a body, a byte at a time": (HEAD, b"x"),
    "chunks without end, a byte at a time": (CHUNKED, b"1\r\nx\r\n"),
    "a second head, a byte at a time": (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET", b"x"),
    "a body that nobody asked for": (
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n",
        b"x",
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_eight_slow_clients_hold_nobody_up_and_are_ended(kind: str, tmp_path: Path) -> None:
    with running(tmp_path) as service:
        slow = [SlowClient(service.port, *SLOW[kind]) for _ in range(8)]
        assert service.ask("/masks", image()).status == 200
        for client in slow:
            client.join(SHORT_LIMITS.request_seconds + SHORT_LIMITS.pause_seconds + 5)
            assert not client.is_alive()


def test_64_clients_of_all_kinds_leave_the_service_to_others(tmp_path: Path) -> None:
    with running(tmp_path, limits=SHORT_LIMITS.model_copy(update={"waiting": 16})) as service:
        begin = time.monotonic()
        slow = [SlowClient(service.port, *kind) for kind in [*SLOW.values()] * 8]
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: service.ask("/masks", image()), range(40)))
        took = time.monotonic() - begin
        assert {reply.status for reply in replies} == {200}
        for client in slow:
            client.join(20)
        assert not any(client.is_alive() for client in slow)
        # They would have had to wait for the slow ones in turn, else: 64 times a second.
        assert took < 20


def test_a_body_that_comes_too_slowly_is_told_so(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        client = SlowClient(service.port, HEAD, b"")
        client.join(10)
        assert client.answer.startswith(b"HTTP/1.1 408 ")
        assert b"A body may pause for 1 seconds" in client.answer


def test_a_body_without_end_is_told_its_limit(tmp_path: Path) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = 0
    with running(tmp_path) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as client:
            client.sendall(CHUNKED)
            with suppress(OSError):  # As fast as it is taken, until the service closes.
                while sent < 100e6:
                    client.sendall(chunk)
                    sent += 0x10000
        assert sent < 50e6  # A few times the limit of 2 MB, and what lies in buffers.
        service.wait_for("car_segmentation_in_work", 0)
        assert service.ask("/masks", image()).status == 200


def test_the_oldest_without_a_request_yields_to_a_new_one(tmp_path: Path) -> None:
    limits = SHORT_LIMITS.model_copy(update={"connections": 4, "pause_seconds": 60})
    with running(tmp_path, limits=limits) as service:
        silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(4)]
        time.sleep(0.2)
        assert service.ask("/masks", image()).status == 200
        assert [is_closed(connection) for connection in silent] == [True, False, False, False]
        for connection in silent:
            connection.close()


def test_who_does_not_take_an_answer_is_left(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.port))
        # Pipelined, so that answers heap up.
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        wait_until(lambda: service.open_connections() == 1)
        wait_until(lambda: service.open_connections() == 0)
        client.close()
        assert service.ask("/masks", image()).status == 200


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.5)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def garbage(seed: int) -> bytes:
    draw = random.Random(seed)
    return bytes(draw.randrange(256) for _ in range(draw.randrange(1, 300))) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "make",
    [
        *(lambda seed=seed: garbage(seed) for seed in range(8)),
        lambda: b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        lambda: b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        lambda: b"POST /masks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        lambda: (
            b"POST /masks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
        ),
        lambda: CHUNKED + b"zz\r\n",
        lambda: CHUNKED + b"7fffffffffffffff\r\n",
        lambda: CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_http_ends_that_connection_alone(
    make: Callable[[], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:
        client = SlowClient(service.port, make(), b"")
        client.join(10)
        assert not client.is_alive()
        assert b" 500 " not in client.answer
        assert service.ask("/masks", image()).status == 200
    assert len(caplog.text) < 500


def test_disconnects_in_the_middle_leave_nothing_behind(tmp_path: Path) -> None:
    request = b"POST /masks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(image())
    request += image()
    with running(tmp_path) as service:
        for cut in range(0, len(request), len(request) // 40):
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(request[:cut])
        service.wait_for("car_segmentation_in_work", 0)
        service.wait_for("car_segmentation_waiting", 0)
        assert service.ask("/masks", image()).status == 200


def test_requests_in_flight_are_answered_when_the_service_is_stopped(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.support.services", str(port), "0.4"]
    process = subprocess.Popen([*command, str(tmp_path / "toy.keras")])
    try:
        service = Service(port, None, None, None)  # type: ignore[arg-type]
        wait_until(lambda: answers(service))
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(service.ask, "/masks", image()) for _ in range(4)]
            time.sleep(0.3)  # The first is predicted, the others wait.
            process.send_signal(signal.SIGTERM)
            assert [reply.result().status for reply in asked] == [200] * 4
        assert process.wait(20) in {0, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()


def answers(service: Service) -> bool:
    try:
        return service.ask("/ready").status == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_uvicorns_protocol_has_what_is_built_upon() -> None:
    protocol = http_protocol(SHORT_LIMITS)
    assert issubclass(protocol, H11Protocol)
    for name in ("connection_made", "data_received", "connection_lost", "pause_writing"):
        assert getattr(protocol, name) is not getattr(H11Protocol, name)
    assert {"shutdown", "resume_writing"} <= vars(H11Protocol).keys()
