"""How fast a served model answers, and whether hostile requests take it down.

    python benchmarks/serving.py MODEL FOLDER

MODEL is one of MLflow's (models:/car_segmentation@champion, runs:/RUN/model, or a folder), FOLDER
holds real photos. Two servers are started on loopback, `mlflow models serve` and the guarded one
(`python -m car_segmentation.serving`), and asked by a plain HTTP client: first one photo at a time,
then from several threads, then with 200 hostile requests. Goals: no answer of 500 or with a
traceback from the guarded server, and both alive at the end.
"""

import argparse
import base64
import json
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.experiments.tracking import tracking_uri
from car_segmentation.settings import PROJECT_ROOT

PORT = 5099
HOSTILE = 200
START_SECONDS = 600


def main() -> None:
    """Print throughput, latency and what became of hostile requests, for both servers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--server", choices=["mlflow", "guarded"])
    arguments = parser.parse_args()
    files = [path for path in arguments.photos.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES]
    photos = [path.read_bytes() for path in sorted(files)[: arguments.requests]]
    if not photos:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    for kind in [arguments.server] if arguments.server else ["mlflow", "guarded"]:
        print(f"--- {kind}")
        server = start(kind, arguments.model)
        try:
            measure(photos, arguments.clients)
            attack(photos[0])
        finally:
            stop(server)


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


def start(kind: str, model: str) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it answers."""
    port = f"--port={PORT}"
    mlflow = ["mlflow", "models", "serve", "--env-manager=local", "--model-uri", model, port]
    guarded = ["car_segmentation.serving", model, port]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": tracking_uri(PROJECT_ROOT),
        # MLflow looks for uvicorn there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    begin = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", *(mlflow if kind == "mlflow" else guarded)],
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


def ask(body: bytes, content_type: str = "application/json") -> tuple[int, bytes, float]:
    """Status, body and seconds of an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/invocations", body, {"Content-Type": content_type}
    )
    begin = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    return status, content, time.perf_counter() - begin


def body_of(*photos: bytes) -> bytes:
    """A request for the masks of photos."""
    rows = [[base64.b64encode(photo).decode()] for photo in photos]
    return json.dumps({"dataframe_split": {"columns": ["photo"], "data": rows}}).encode()


def measure(photos: Sequence[bytes], clients: int) -> None:
    """Print latency and throughput, one photo a request."""
    bodies = [body_of(photo) for photo in photos]
    ask(bodies[0])
    for threads in (1, clients):
        begin = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(ask, bodies))
        seconds = time.perf_counter() - begin
        assert all(status == 200 for status, _, _ in answers)
        latency = sorted(answer[2] for answer in answers)
        print(
            f"{threads} clients: {len(bodies) / seconds:.2f} photos/s, latency median "
            f"{statistics.median(latency):.2f} s, slowest {latency[-1]:.2f} s"
        )


def attack(photo: bytes) -> None:
    """Send hostile requests, and count what comes back."""
    statuses: Counter[int] = Counter()
    leaks = Counter[str]()
    slowest = 0.0
    for name, body, content_type in hostile_requests(photo):
        try:
            status, answer, seconds = ask(body, content_type)
        except OSError as error:  # Refused in the middle of a long body, say.
            print(f"{name}: connection ended ({error})")
            statuses[0] += 1
            continue
        statuses[status] += 1
        slowest = max(slowest, seconds)
        if b"Traceback" in answer or status == 200 or status >= 500:
            leaks[f"{name}: {status}"] += 1
    alive = ask(body_of(photo))[0] == 200
    print(f"{statuses.total()} hostile requests: {dict(statuses)}, slowest {slowest:.2f} s")
    print(f"tracebacks, 200s and 500s: {dict(leaks)}")
    print(f"alive afterwards: {'yes' if alive else 'no'}")


def hostile_requests(photo: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Name, body and content type of each."""
    draw = random.Random(1)
    json_type = "application/json"
    fixed = [
        ("number", b'{"dataframe_split": {"columns": ["photo"], "data": [[5]]}}', json_type),
        ("null", b'{"dataframe_split": {"columns": ["photo"], "data": [[null]]}}', json_type),
        ("no rows", b'{"dataframe_split": {"columns": ["photo"], "data": []}}', json_type),
        ("column", b'{"dataframe_split": {"columns": ["x"], "data": [["eA=="]]}}', json_type),
        ("no JSON", b"{", json_type),
        ("list", b"[]", json_type),
        ("bytes", bytes(range(256)), json_type),
        ("deep", b"[" * 500_000, json_type),
        ("CSV", b"photo\n\x00\xff", "text/csv"),
        ("CSV, ragged", b'photo\n"a,b\n1,2,3', "text/csv"),
        ("parquet", b"PAR1" + bytes(100), "application/vnd.apache.parquet"),
        ("JPEG itself", photo, "image/jpeg"),
        ("no type", photo, ""),
        ("100 MB", b" " * 100_000_000, json_type),
        ("17 photos", body_of(*[photo[:1000]] * 17), json_type),
        ("bomb: PNG of 900 MB", body_of(png(30_000, 30_000)), json_type),
        ("bomb: PNG of 3600 megapixels", body_of(png(60_000, 60_000, rows=10)), json_type),
        ("bomb: PNG text", body_of(png(8, 8, text=100_000_000)), json_type),
    ]
    yield from fixed
    for number in range(HOSTILE - len(fixed)):
        damaged = bytearray(photo[: draw.randrange(1, len(photo) - 1000)])
        if number % 2:  # Not only cut short, but with a header that says anything.
            for _ in range(20):
                damaged[draw.randrange(min(600, len(damaged)))] = draw.randrange(256)
        yield "damaged", body_of(bytes(damaged)), json_type


def png(width: int, height: int, rows: int | None = None, text: int = 0) -> bytes:
    """A grey PNG of zeros, of few bytes; ``text`` is the length of a comment that unpacks to it."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(width + 1)) for _ in range(rows or height))
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))]
    if text:
        chunks.append((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(text))))
    chunks += [(b"IDAT", pixels + packer.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


if __name__ == "__main__":
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            sys.exit(f"Something answers on port {PORT} already.")
    main()
