"""How fast a served model answers, whether its memory stays flat, and what harms it.

    python benchmarks/service.py MODEL FOLDER
    python benchmarks/service.py MODEL FOLDER --against CLONE

MODEL is one of MLflow's (models:/car_segmentation@champion, runs:/RUN/model, or a folder) or, with
--against, a .keras file with threshold.json beside it; FOLDER holds real photos. Two servers are
started on loopback: `mlflow models serve`, and the project's (`python -m
car_segmentation.serving`), which is asked by MLflow's protocol as well as with photos as they are.
1, 4 and 32 clients ask; then memory is watched over 2,000 requests; then hostile requests are sent,
and 64 slow clients hold connections while others ask. Goals: masks are the same by all ways; memory
grows by less than 5 %; no answer of 500 from the project's service.

With --against, the other server is that of CLONE, a clone of the project at an older commit. Both
run at the same time and are asked by turns, so that what else the machine does concerns both; the
clone's own code packs the model for its server.
"""

import argparse
import base64
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.experiments.tracking_server import tracking_uri
from car_segmentation.prediction.threshold_file import threshold_beside
from car_segmentation.settings import PROJECT_ROOT

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.hostile_requests import hostile_requests, table

PORT = 5099
START_SECONDS = 600
CLIENTS = (1, 4, 32)
ROUNDS = 2
"""Turns of each server for each number of clients, with --against."""
SLOW_CLIENTS = 64


PACK = """
import sys
import keras, numpy
from mlflow.models import Model
from car_segmentation.serving import ServedModel
from car_segmentation.serving.saving import save_model

file, threshold, folder = sys.argv[1:]
network = keras.saving.load_model(file, compile=False)
example = numpy.zeros((64, 96, 3), numpy.uint8)
save_model(folder, ServedModel(network, float(threshold), 100.0, example), Model())
"""
"""Makes an MLflow model with the code of a clone."""


class Reply(NamedTuple):
    """What came back, and when."""

    status: int
    content: bytes
    seconds: float


class Server(NamedTuple):
    """One that answers, and the process that it is."""

    name: str
    port: int
    process: subprocess.Popen[bytes]


def main() -> None:
    """Print throughput, latency, memory and the result of hostile requests, for both servers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--requests", type=int, default=64, help="for each number of clients")
    parser.add_argument("--memory-requests", type=int, default=2000)
    parser.add_argument("--server", choices=["mlflow", "service"])
    parser.add_argument("--against", type=Path, metavar="CLONE", help="of an older commit")
    arguments = parser.parse_args()
    files = [path for path in arguments.photos.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES]
    photos = [path.read_bytes() for path in sorted(files)[: arguments.requests]]
    if not photos:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    if arguments.against:
        compare(Path(arguments.model), arguments.against, photos, arguments.memory_requests)
        return
    for kind in [arguments.server] if arguments.server else ["mlflow", "service"]:
        print(f"--- {kind}")
        server = start(kind, arguments.model)
        try:
            for clients in CLIENTS:
                measure(server, "/invocations", photos, clients)
            if kind == "service":
                for clients in CLIENTS:
                    measure(server, "/masks", photos, clients)
                same = [mask_of(ask_for_mask(server, "/invocations", it)) for it in photos[:4]]
                assert same == [ask_for_mask(server, "/masks", it).content for it in photos[:4]]
                watch_memory(server, "/masks", photos, arguments.memory_requests)
                resist(server, photos[0])
            attack(server, photos[0])
        finally:
            stop(server)


def compare(model: Path, clone: Path, photos: Sequence[bytes], memory_requests: int) -> None:
    """Print throughput, latency and memory of a clone's server and of this one, by turns."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        packed = f"{folder}/packed"
        command = [sys.executable, "-c", PACK, str(model), str(threshold_beside(model)), packed]
        subprocess.run(command, env=environment(clone), cwd=clone, check=True)
        before = start("before", packed, PORT + 1, clone)
        stack.callback(stop, before)
        now = start("now", str(model))
        stack.callback(stop, now)
        pairs = [
            [decoded(mask_of(ask_for_mask(server, "/invocations", photo))) for photo in photos[:8]]
            for server in (before, now)
        ]
        different = [int((old != new).sum()) for old, new in zip(*pairs, strict=True)]
        print(f"pixels of {len(different)} masks that differ: {different}")
        for clients in CLIENTS:
            for _ in range(ROUNDS):
                measure(before, "/invocations", photos, clients)
                measure(now, "/invocations", photos, clients)
                measure(now, "/masks", photos, clients)
        watch_memory(before, "/invocations", photos, memory_requests)
        watch_memory(now, "/masks", photos, memory_requests)


def environment(project: Path) -> dict[str, str]:
    """Variables of a process that runs the code of a project."""
    return os.environ | {
        "MLFLOW_TRACKING_URI": tracking_uri(PROJECT_ROOT),
        "PYTHONPATH": str(project / "src"),
        # MLflow looks for uvicorn there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def start(kind: str, model: str, port: int = PORT, project: Path = PROJECT_ROOT) -> Server:
    """Start a server, and wait until it answers."""
    option = f"--port={port}"
    mlflow = ["mlflow", "models", "serve", "--env-manager=local", "--model-uri", model, option]
    service = ["car_segmentation.serving", model, option]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *(mlflow if kind == "mlflow" else service)],
        env=environment(project),
        start_new_session=True,
    )
    while time.perf_counter() - begin < START_SECONDS and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            print(f"{kind}: up after {time.perf_counter() - begin:.1f} s")
            return Server(kind, port, process)
    os.killpg(process.pid, signal.SIGKILL)
    sys.exit(f"The {kind} server did not start.")


def stop(server: Server) -> None:
    """Stop a server with the processes that it began, and wait until nothing answers."""
    os.killpg(server.process.pid, signal.SIGTERM)
    server.process.wait()
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            return
        time.sleep(0.2)


def ask(server: Server, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """Send one request; one that is told to come back does."""
    begin = time.perf_counter()
    while True:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return Reply(answer.status, answer.read(), time.perf_counter() - begin)
        except urllib.error.HTTPError as error:
            if error.code != 429:
                return Reply(error.code, error.read(), time.perf_counter() - begin)
            time.sleep(0.05)


def ask_for_mask(server: Server, path: str, photo: bytes) -> Reply:
    """Ask for the mask of a photo by one of both ways."""
    if path == "/masks":
        return ask(server, path, photo, {"Content-Type": "image/jpeg"})
    body = table([[base64.b64encode(photo).decode()]])
    return ask(server, path, body, {"Content-Type": "application/json"})


def mask_of(reply: Reply) -> bytes:
    """The PNG in an answer by MLflow's protocol."""
    return base64.b64decode(json.loads(reply.content)["predictions"][0]["mask"])


def decoded(png: bytes) -> np.ndarray:
    """The pixels of a mask."""
    return np.asarray(Image.open(io.BytesIO(png)))


def measure(server: Server, path: str, photos: Sequence[bytes], clients: int) -> None:
    """Print latency and throughput, one photo a request."""
    ask_for_mask(server, path, photos[0])
    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        replies = list(pool.map(lambda photo: ask_for_mask(server, path, photo), photos))
    seconds = time.perf_counter() - begin
    assert all(reply.status == 200 for reply in replies)
    latency = sorted(reply.seconds for reply in replies)
    print(
        f"{server.name} {path}, {clients} clients: {len(photos) / seconds:.2f} photos/s, latency "
        f"median {statistics.median(latency):.2f} s, slowest {latency[-1]:.2f} s",
        flush=True,
    )


def watch_memory(server: Server, path: str, photos: Sequence[bytes], requests: int) -> None:
    """Print the server's memory before and after many requests of four clients."""
    process = psutil.Process(server.process.pid)
    sizes = []
    for _ in range(2):  # The first half is for caches and allocators to fill.
        with ThreadPoolExecutor(4) as pool:
            turns = (photos[number % len(photos)] for number in range(requests // 2))
            replies = pool.map(lambda photo: ask_for_mask(server, path, photo), turns)
            assert {reply.status for reply in replies} == {200}
        sizes.append(process.memory_info().rss / 1e6)
    print(
        f"{server.name}: memory after {requests // 2} requests: {sizes[0]:.0f} MB, "
        f"{requests}: {sizes[1]:.0f} MB",
        flush=True,
    )


def resist(server: Server, photo: bytes) -> None:
    """Print what others get while slow clients hold connections."""
    beginnings = (b"", b"POST /masks HTTP/1.1\r\nHost:", b"POST /masks HTTP/1.1\r\nHost: x\r\n\r\n")
    slow = []
    for number in range(SLOW_CLIENTS):
        slow.append(socket.create_connection(("127.0.0.1", server.port)))
        slow[-1].sendall(beginnings[number % len(beginnings)])
    replies = [ask_for_mask(server, "/masks", photo) for _ in range(8)]
    for connection in slow:
        connection.close()
    statuses = Counter(reply.status for reply in replies)
    slowest = max(reply.seconds for reply in replies)
    print(f"beside {SLOW_CLIENTS} slow clients: {dict(statuses)}, slowest {slowest:.2f} s")


def attack(server: Server, photo: bytes) -> None:
    """Send hostile requests, and count what comes back."""
    statuses: Counter[int] = Counter()
    leaks = Counter[str]()
    slowest = 0.0
    for request in hostile_requests(photo):
        try:
            reply = ask(server, request.path, request.body, request.headers)
        except OSError as error:  # Refused in the middle of a long body, say.
            print(f"{request.kind}: connection ended ({error})")
            statuses[0] += 1
            continue
        statuses[reply.status] += 1
        slowest = max(slowest, reply.seconds)
        if b"Traceback" in reply.content or reply.status >= 500:
            leaks[f"{request.kind}: {reply.status}"] += 1
    alive = ask_for_mask(server, "/invocations", photo).status == 200
    print(f"{statuses.total()} hostile requests: {dict(statuses)}, slowest {slowest:.2f} s")
    print(f"tracebacks and 500s: {dict(leaks)}")
    print(f"alive afterwards: {'yes' if alive else 'no'}")


if __name__ == "__main__":
    for taken in (PORT, PORT + 1):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", taken)) == 0:
                sys.exit(f"Something answers on port {taken} already.")
    main()
