"""Atomic writes of files and folders: a kill at any moment leaves the old or the new, whole."""

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from car_segmentation.core.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_WRITING = threading.Lock()


@contextmanager
def atomic_file(path: Path, writer: str = "", durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of ``path`` when the block ends well.

    The temporary name keeps the extension, which many writers choose the format by.

    Args:
        path: The file.
        writer: Distinguishes processes that may write the same file at the same time.
        durable: Whether it is on disk before it takes its place, so that a power cut leaves the old
            or the new, too. It costs some milliseconds a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}{writer and f'.{writer}'}.part{path.suffix}")
    try:
        yield temporary
        if durable:
            flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_text_file(path: Path, max_megabytes: float = 200.0) -> str:
    """The text (UTF-8, with or without a byte order mark) of a file that somebody else wrote.

    Raises:
        UserError: If it is missing, not a regular file (a pipe would be waited for), larger than
            that, or not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise UserError(f"{path} is not a regular file (a pipe, a device or a folder).")
            if state.st_size > max_megabytes * 1e6:
                raise UserError(
                    f"{path} is too large: {state.st_size / 1e6:.0f} megabytes (at most "
                    f"{max_megabytes:g})."
                )
            return file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read ({reason}).") from None


def flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes are on disk, whoever wrote them."""
    with path.open("r+b") as file:  # Windows syncs only what is open for writing.
        os.fsync(file.fileno())


def write_at(path: Path, offset: int, content: memoryview) -> None:
    """Write bytes into a file that other processes, perhaps on other machines, also write to.

    Each locks the range that it writes, where the file system supports locks: NFS clients write
    back whole pages of 4 kB or more, and could overwrite a neighbour's bytes with old ones.
    """
    # One thread at a time, because closing the file in any thread releases all of the process's
    # locks on it. Leaving the block flushes before the lock is released.
    with _WRITING, path.open("r+b") as file:
        if fcntl is not None:
            with suppress(OSError):
                fcntl.lockf(file, fcntl.LOCK_EX, content.nbytes, offset)
        file.seek(offset)
        file.write(content)


def remove_parts(folder: Path, inside: bool = False) -> None:
    """Remove temporary files that a killed `atomic_file` left in a folder.

    Args:
        folder: The folder.
        inside: Whether folders inside it are cleaned, too.
    """
    for part in (folder.rglob if inside else folder.glob)(".*.part.*"):
        part.unlink()


def lock_folder(folder: Path, part: str = "") -> FileLock:
    """Keep other processes out of a folder until the lock is released, or this process ends.

    Args:
        folder: The folder.
        part: Of its files, which a process may have while another has another part.

    Raises:
        UserError: If another process has locked it.
    """
    # One lock for all calls in this process: a notebook may leave a run in the middle.
    lock = FileLock(folder / f".in_use{part and f'.{part}'}", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another run is using {folder}, and the files of both would be mixed. Wait for "
            "its end, or use another folder (data_folder; predictions of inference)."
        ) from None
    return lock


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes the place of ``path`` when the block ends well."""
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
