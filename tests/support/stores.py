"""Folders in object stores, filled from and compared with folders here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from car_segmentation.core.object_store import ObjectStore


@contextmanager
def memory_bucket() -> Iterator[str]:
    """The address of an empty store in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield "memory://bucket"
    files.store.clear()


def upload(folder: Path, store: ObjectStore) -> None:
    """Write all files of a folder to a store."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.write(path.relative_to(folder).as_posix(), path.read_bytes())


def stored_contents(store: ObjectStore) -> dict[str, bytes]:
    """All objects that are not hidden."""
    return {name: store.read(name) for name in store.files()}


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 API on loopback, which this process and those that it starts find by variables."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    variables = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield address
    server.stop()
