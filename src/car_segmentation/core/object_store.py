"""Folders in object stores: whole objects are listed, read, written and removed, by fsspec.

An object is written in one step, so that a reader sees the old one or the new one, whole. Nothing
is kept of a listing, so that memory does not grow with a store.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import fsspec

from car_segmentation.core.places import local_path, options_for, store_errors

TRANSFERS = 8
"""Objects that are copied at the same time, which is mostly waiting."""
State = tuple[int, int]
"""Size in bytes, and a number that changes with the content; tells whether it was replaced."""
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "created")
"""What stores call what changes with an object's content, the most certain first."""


@dataclass(frozen=True)
class ObjectStore:
    """A folder of an object store.

    Attributes:
        address: Such as ``s3://bucket/photos``.
        options: Of the store's fsspec file system, such as credentials, in addition to those of
            `places.use_options`. They travel with this object.
    """

    address: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(cls, address: str, options: Mapping[str, Any] | None = None) -> "ObjectStore":
        """The folder of an address, with the options that this process uses for such addresses."""
        return cls(address.rstrip("/"), options_for(address) | dict(options or {}))

    def __str__(self) -> str:
        return self.address

    def address_of(self, name: str) -> str:
        """The whole address of an object."""
        return f"{self.address}/{name}" if name else self.address

    def files(self, under: str = "") -> dict[str, State]:
        """Names of objects in this folder and in folders inside it; hidden ones are left out.

        Args:
            under: Only those of this folder inside it, which may be hidden itself.
        """
        with self._opened(under) as (files, path):
            found = files.find(path, detail=True)
            start = len(path.rstrip("/")) + 1
            names = {
                name: _state(details)
                for key, details in found.items()
                if (name := key[start:]) and not name.endswith("/") and not _is_hidden(name)
            }
        return {f"{under}/{name}" if under else name: state for name, state in names.items()}

    def glob(self, pattern: str) -> list[str]:
        """Names of the objects that match a pattern of paths, hidden or not."""
        with self._opened("") as (files, path):
            start = len(path.rstrip("/")) + 1
            return [name[start:] for name in sorted(files.glob(f"{path.rstrip('/')}/{pattern}"))]

    def state(self) -> State | None:
        """The state of the object that the address is of; None if it is that of a folder."""
        with self._opened("") as (files, path):
            return _state(files.info(path)) if files.isfile(path) else None

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        with self._opened(name) as (files, path):
            return bool(files.isfile(path))

    def read(self, name: str) -> bytes:
        """The content of an object."""
        with self._opened(name) as (files, path):
            return bytes(files.cat_file(path))

    def read_if_there(self, name: str) -> bytes | None:
        """The content of an object; None if there is no such object."""
        with self._opened(name) as (files, path), suppress(FileNotFoundError):
            return bytes(files.cat_file(path))
        return None

    def write(self, name: str, content: bytes) -> None:
        """Write an object in one step."""
        with self._opened(name) as (files, path):
            files.pipe_file(path, content)

    def download(self, name: str, file: Path) -> None:
        """Copy an object to a file; write none if there is no such object any more."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._opened(name) as (files, path):
            try:
                files.get_file(path, str(file))
            except FileNotFoundError:
                file.unlink(missing_ok=True)

    def remove(self, names: Collection[str]) -> None:
        """Remove objects."""
        if names:
            with self._opened("") as (files, path):
                root = path.rstrip("/")
                files.rm([f"{root}/{name}" for name in names])

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy of an object in a temporary folder, where it keeps its name, for a while."""
        with TemporaryDirectory() as folder:
            copy = Path(folder, PurePosixPath(name).name)
            with self._opened(name) as (files, path):
                files.get_file(path, str(copy))
            yield copy

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[Any, str]]:
        address = self.address_of(name)
        with store_errors(address):
            # Listings would be kept otherwise, and would hide what others write.
            options = {"use_listings_cache": False, **self.options}
            files, root = fsspec.url_to_fs(self.address, **options)
            yield files, f"{root.rstrip('/')}/{name}" if name else root


def local_folder(place: Path | ObjectStore) -> Path:
    """A folder that has to be on this machine.

    Raises:
        UserError: If it is in an object store.
    """
    return place if isinstance(place, Path) else local_path(place.address)


def is_plain_name(name: str) -> bool:
    """Whether an object's name may be that of a file inside a folder, and of no file elsewhere.

    Example:
        >>> is_plain_name("a/b.jpg"), is_plain_name("../b.jpg"), is_plain_name("a//b.jpg")
        (True, False, False)
    """
    path = PurePosixPath(name)
    return str(path) == name and not path.is_absolute() and ".." not in path.parts


def _state(details: Mapping[str, Any]) -> State:
    version = next((details[key] for key in _VERSIONS if details.get(key) is not None), "")
    if isinstance(version, datetime):  # Or a number of seconds, as it is listed.
        version = version.timestamp()
    return int(details.get("size") or 0), zlib.crc32(str(version).encode())


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/") if part != "..")
