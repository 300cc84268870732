"""Where files are: a folder of this machine, or an object store, by its address.

Whatever is read or written piece by piece, or memory-mapped, is local. Of a store, whole files are
copied here first, by fsspec, with the credentials that it finds in the environment or is given.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fsspec

from car_segmentation.core.errors import UserError

_ADDRESS = re.compile(r"(?P<protocol>[A-Za-z][A-Za-z0-9+.-]+)://")
_FILE = "file://"
MEND = (
    "is in an object store, and this is read and written in folders of this machine: copy the "
    "bucket to one or mount it (rclone copy, rclone mount), and name that folder"
)


def is_store(place: str) -> bool:
    """Whether a place is in an object store, or elsewhere on the network.

    Example:
        >>> is_store("s3://bucket/photos"), is_store("file:///photos"), is_store("C:/photos")
        (True, False, False)
    """
    return _ADDRESS.match(place) is not None and not place.startswith(_FILE)


def unusable_address(value: Any) -> str:
    """Why a parameter that can only be a folder or a file of this machine is none; else empty."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(unusable_address, value)), "")
    if not isinstance(value, str) or _ADDRESS.match(value) is None:
        return ""
    return MEND if is_store(value) else f"write the path itself, {local_path(value)}"


def local_path(place: str) -> Path:
    """The path of a place on this machine, which may be given as ``file:///…``.

    Raises:
        UserError: If it is in an object store.
    """
    if is_store(place):
        raise UserError(f"{place} {MEND}.")
    return Path(unquote(place.removeprefix(_FILE)) if place.startswith(_FILE) else place)


@contextmanager
def local_copy(place: str, credentials: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Copy a file of a store to a temporary folder, where it keeps its name, for a while.

    Args:
        place: The file's address.
        credentials: Options of the store's fsspec file system.

    Raises:
        UserError: If there is no such file, the store cannot be read, or the package for it is not
            installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, place.rpartition("/")[2])
        with _store_errors(place):
            files, path = fsspec.url_to_fs(place, **(credentials or {}))
            files.get_file(path, str(copy))
        yield copy


def exists(place: str, credentials: Mapping[str, Any] | None = None) -> bool:
    """Whether there is a file, here or in a store; raises as `local_copy`."""
    if not is_store(place):
        return local_path(place).is_file()
    with _store_errors(place):
        files, path = fsspec.url_to_fs(place, **(credentials or {}))
        return bool(files.isfile(path))


@contextmanager
def _store_errors(place: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"There is no {place}.") from None
    except (ImportError, ValueError) as error:  # Of fsspec: no package, or no such protocol.
        raise UserError(f"{place} cannot be read: {error}.") from None
    except Exception as error:  # Each store has its own: no credentials, no network, …
        raise UserError(
            f"{place} cannot be read ({type(error).__name__}: {error}). Credentials are taken from "
            "the environment, or from `credentials` of the entry in conf/local/catalog.yml."
        ) from error
