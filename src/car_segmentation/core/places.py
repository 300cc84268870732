"""Where files are: a folder of this machine, or an object store, by its address.

Whatever is read or written piece by piece, or memory-mapped, is local. Of a store, whole files are
copied here first, by fsspec, with the credentials that it finds in the environment or is given.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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


def is_mlflow_model(place: str) -> bool:
    """True if a model is MLflow's, ``models:/…`` or ``runs:/…``, not a file."""
    return place.startswith(("models:", "runs:"))


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


def folder_of(place: str) -> Path:
    """The folder that names of files are relative to: a place, or that of a single file."""
    path = local_path(place)
    return path.parent if path.is_file() else path


_options: dict[str, Mapping[str, Any]] = {}


def use_options(options: Mapping[str, Mapping[str, Any]]) -> None:
    """Have this process give these options to the fsspec file systems of stores.

    Args:
        options: By protocol, such as ``s3``.
    """
    _options.clear()
    _options.update(options)


def options_for(place: str) -> dict[str, Any]:
    """The options that this process uses for the store of an address."""
    found = _ADDRESS.match(place)
    return dict(_options.get(found["protocol"], {})) if found else {}


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Turn the errors of a store's file system into one sentence on an address and its mend."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"There is no {place}.") from None
    except ImportError as error:  # Of fsspec.
        raise UserError(
            f"{place} cannot be used: {error}. For s3:// that is pip install -e '.[stores]'."
        ) from None
    except ValueError as error:  # Of fsspec: no such protocol; of botocore: no such endpoint.
        raise UserError(f"{place} cannot be used: {error}.") from None
    except Exception as error:  # Each store has its own.
        # A store may be asked in many tasks at once: what it says is there once.
        said = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        refused = isinstance(error, PermissionError) or "Credential" in type(error).__name__
        mend = (
            "Set the store's credentials in the environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY for s3://), or in conf/local/credentials.yml under the name of "
            "the protocol (docs/scale_out.md)."
            if refused
            else "Look after the network, and the store's endpoint (AWS_ENDPOINT_URL for s3://), "
            "and run the same command again: what is finished is kept."
        )
        what = "refuses access" if refused else "cannot be reached"
        raise UserError(f"{place} {what} ({said}). {mend}") from error
