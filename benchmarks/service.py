"""How fast a served model answers, whether its memory stays flat, and what harms it.

    python benchmarks/service.py MODEL FOLDER

MODEL is one of MLflow's (models:/car_segmentation@champion, runs:/RUN/model, or a folder), FOLDER
holds real photos. Two servers are started on loopback, one after the other: `mlflow models serve`,
and the project's (`python -m car_segmentation.serving`), which is asked by MLflow's protocol as
well as with photos as they are. 1, 4 and 32 clients ask; then memory is watched over 2,000
requests; then hostile requests are sent, and 64 slow clients hold connections while others ask.
Goals: masks are the same by all ways; memory grows by less than 5 %; no answer of 500 from the
project's service.
"""

import argparse
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.experiments.tracking_server import tracking_uri
from car_segmentation.settings import PROJECT_ROOT

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.hostile_requests import hostile_requests, table

PORT = 5099
START_SECONDS = 600
CLIENTS = (1, 4, 32)
SLOW_CLIENTS = 64


class Reply(NamedTuple):
    """What came back, and when."""

    status: int
    content: bytes
    seconds: float


def main() -> None:
    """Print throughput, latency, memory and the result of hostile requests, for both servers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--requests", type=int, default=64, help="for each number of clients")
    parser.add_argument("--memory-requests", type=int, default=2000)
    parser.add_argument("--server", choices=["mlflow", "service"])
    arguments = parser.parse_args()
    files = [path for path in arguments.photos.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES]
    photos = [path.read_bytes() for path in sorted(files)[: arguments.requests]]
    if not photos:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    for kind in [arguments.server] if arguments.server else ["mlflow", "service"]:
        print(f"--- {kind}")
        server = start(kind, arguments.model)
        try:
            measure("/invocations", photos)
            if kind == "service":
                measure("/masks", photos)
                same = [mask_of(ask_for_mask("/invocations", photo)) for photo in photos[:4]]
                assert same == [ask_for_mask("/masks", photo).content for photo in photos[:4]]
                watch_memory(server, photos, arguments.memory_requests)
                resist(photos[0])
            attack(photos[0])
        finally:
            stop(server)


def start(kind: str, model: str) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it answers."""
    port = f"--port={PORT}"
    mlflow = ["mlflow", "models", "serve", "--env-manager=local", "--model-uri", model, port]
    service = ["car_segmentation.serving", model, port]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": tracking_uri(PROJECT_ROOT),
        # MLflow looks for uvicorn there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    begin = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", *(mlflow if kind == "mlflow" else service)],
        env=environment,
        start_new_session=True,
    )
    while time.perf_counter() - begin < START_SECONDS and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ping", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            print(f"up after {time.perf_counter() - begin:.1f} s")
            return server
    os.killpg(server.pid, signal.SIGKILL)
    sys.exit(f"The {kind} server did not start.")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop a server with the processes that it began, and wait until nothing answers."""
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
        except OSError:
            return
        time.sleep(0.2)


def ask(path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """Send one request; one that is told to come back does."""
    begin = time.perf_counter()
    while True:
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return Reply(answer.status, answer.read(), time.perf_counter() - begin)
        except urllib.error.HTTPError as error:
            if error.code != 429:
                return Reply(error.code, error.read(), time.perf_counter() - begin)
            time.sleep(0.05)


def ask_for_mask(path: str, photo: bytes) -> Reply:
    """Ask for the mask of a photo by one of both ways."""
    if path == "/masks":
        return ask(path, photo, {"Content-Type": "image/jpeg"})
    body = table([[base64.b64encode(photo).decode()]])
    return ask(path, body, {"Content-Type": "application/json"})


def mask_of(reply: Reply) -> bytes:
    """The PNG in an answer by MLflow's protocol."""
    return base64.b64decode(json.loads(reply.content)["predictions"][0]["mask"])


def measure(path: str, photos: Sequence[bytes]) -> None:
    """Print latency and throughput, one photo a request."""
    ask_for_mask(path, photos[0])
    for clients in CLIENTS:
        begin = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            replies = list(pool.map(lambda photo: ask_for_mask(path, photo), photos))
        seconds = time.perf_counter() - begin
        assert all(reply.status == 200 for reply in replies)
        latency = sorted(reply.seconds for reply in replies)
        print(
            f"{path}, {clients} clients: {len(photos) / seconds:.2f} photos/s, latency median "
            f"{statistics.median(latency):.2f} s, slowest {latency[-1]:.2f} s"
        )


def watch_memory(server: subprocess.Popen[bytes], photos: Sequence[bytes], requests: int) -> None:
    """Print the server's memory before and after many requests of four clients."""
    process = psutil.Process(server.pid)
    sizes = []
    for _ in range(2):  # The first half is for caches and allocators to fill.
        with ThreadPoolExecutor(4) as pool:
            turns = (photos[number % len(photos)] for number in range(requests // 2))
            replies = pool.map(lambda photo: ask_for_mask("/masks", photo), turns)
            assert {reply.status for reply in replies} == {200}
        sizes.append(process.memory_info().rss / 1e6)
    print(
        f"memory after {requests // 2} requests: {sizes[0]:.0f} MB, {requests}: {sizes[1]:.0f} MB"
    )


def resist(photo: bytes) -> None:
    """Print what others get while slow clients hold connections."""
    beginnings = (b"", b"POST /masks HTTP/1.1\r\nHost:", b"POST /masks HTTP/1.1\r\nHost: x\r\n\r\n")
    slow = []
    for number in range(SLOW_CLIENTS):
        slow.append(socket.create_connection(("127.0.0.1", PORT)))
        slow[-1].sendall(beginnings[number % len(beginnings)])
    replies = [ask_for_mask("/masks", photo) for _ in range(8)]
    for connection in slow:
        connection.close()
    statuses = Counter(reply.status for reply in replies)
    slowest = max(reply.seconds for reply in replies)
    print(f"beside {SLOW_CLIENTS} slow clients: {dict(statuses)}, slowest {slowest:.2f} s")


def attack(photo: bytes) -> None:
    """Send hostile requests, and count what comes back."""
    statuses: Counter[int] = Counter()
    leaks = Counter[str]()
    slowest = 0.0
    for request in hostile_requests(photo):
        try:
            reply = ask(request.path, request.body, request.headers)
        except OSError as error:  # Refused in the middle of a long body, say.
            print(f"{request.kind}: connection ended ({error})")
            statuses[0] += 1
            continue
        statuses[reply.status] += 1
        slowest = max(slowest, reply.seconds)
        if b"Traceback" in reply.content or reply.status >= 500:
            leaks[f"{request.kind}: {reply.status}"] += 1
    alive = ask_for_mask("/invocations", photo).status == 200
    print(f"{statuses.total()} hostile requests: {dict(statuses)}, slowest {slowest:.2f} s")
    print(f"tracebacks and 500s: {dict(leaks)}")
    print(f"alive afterwards: {'yes' if alive else 'no'}")


if __name__ == "__main__":
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            sys.exit(f"Something answers on port {PORT} already.")
    main()
