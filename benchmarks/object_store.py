"""How fast `inference` is from bucket to bucket, beside folder to folder.

    python benchmarks/object_store.py PHOTOS --model MODEL

PHOTOS is a folder of real photos, MODEL a .keras file with threshold.json beside it. The bucket is
moto's S3 server, a process on the same machine that shares its cores and answers one Python thread
at a time: what it costs is an upper bound for a real store, but for the network. Both ways run in
this process with one model, after a warm-up; their masks must be the same bytes.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import s3fs

from car_segmentation.core.object_store import ObjectStore
from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.networks.model_file import read_model
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.folder_job import FolderJob
from car_segmentation.prediction.new_photos import NewPhotos, StoredPhotos, sort_out_photos
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.prediction.store_job import write_to_store
from car_segmentation.prediction.threshold_file import threshold_beside

BUCKET = "s3://benchmark"
START_SECONDS = 60


def main() -> None:
    """Print photos a second of both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--number", type=int, default=256)
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    files = files[: arguments.number]
    if not files:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    segmenter = Segmenter.from_options(
        read_model(arguments.model), PredictionOptions(), threshold_beside(arguments.model)
    )

    def job(photos: NewPhotos) -> FolderJob:
        return FolderJob(segmenter, photos, max_megapixels=100)

    local = sort_out_photos(files, arguments.photos)
    with tempfile.TemporaryDirectory() as folder, s3_server():
        s3fs.S3FileSystem().mkdir(BUCKET)
        source, target = ObjectStore.at(f"{BUCKET}/in"), ObjectStore.at(f"{BUCKET}/out")
        for file in files:
            source.write(file.name, file.read_bytes())
        few = sort_out_photos(files[: job(local).chunk_size], arguments.photos)
        job(few).write(Path(folder, "warm-up"))
        there = timed(
            "folder to folder", len(files), lambda: job(local).write(Path(folder, "local"))
        )
        stored = sort_out_photos(StoredPhotos.at(source))
        here = timed("bucket to bucket", len(files), lambda: write_to_store(job(stored), target))
        print(f"bucket to bucket: {here / there:.0%} of the speed of folder to folder")
        for mask in Path(folder, "local/masks").iterdir():
            if target.read(f"masks/{mask.name}") != mask.read_bytes():
                sys.exit(f"{mask.name} differs.")


def timed(name: str, number: int, work: Callable[[], object]) -> float:
    """Print and return photos a second."""
    start = time.perf_counter()
    work()
    speed = number / (time.perf_counter() - start)
    print(f"{name}: {speed:.2f} photos/s")
    return speed


@contextmanager
def s3_server() -> Iterator[None]:
    """An S3 server on loopback, found by environment variables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    try:
        until = time.monotonic() + START_SECONDS
        while not answers(port):
            if server.poll() is not None or time.monotonic() > until:
                sys.exit("moto's server does not start: pip install 'moto[server]'")
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    """Whether something listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
