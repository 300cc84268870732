"""Disks of a few megabytes, which may be filled, or made read-only, without harm to others."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int = 100, inodes: int = 5000) -> Iterator[Path]:
    """A disk in memory, mounted on a folder until the block ends; skips where that is denied."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,nr_inodes={inodes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Make a small disk read-only ("ro"), or writable ("rw")."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
