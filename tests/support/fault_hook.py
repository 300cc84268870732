"""A hook that breaks a run on purpose: copied into a project, called by its settings.

The variable FAULT says how: ``KIND NODE NUMBER``, from the beginning of a node on.
"""

import ctypes
import errno
import os
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

FILLER = "filler"
"""File, or folder, that takes what was free on a disk."""
SMALL = 1 << 30
"""Bytes of the largest disk that is filled."""

CONSOLE = 50_000
"""Bytes that a run may still write to its console, which is a file."""


class Fault:
    """Does to the process what a machine at its limits does."""

    def __init__(self) -> None:
        self.kind, self.node, number = os.environ.get("FAULT", "none none 0").split()
        self.number = float(number)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Begin, if it is the node."""
        if node.short_name == self.node:
            getattr(self, self.kind)()

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """SIGKILL after some seconds, whatever runs then."""
        timer = threading.Timer(self.number, os.kill, (os.getpid(), sign))
        timer.daemon = True
        timer.start()

    def terminate(self) -> None:
        """SIGTERM likewise, as schedulers send it."""
        self.kill(signal.SIGTERM)

    def interrupt(self) -> None:
        """SIGINT likewise, as Ctrl-C sends it."""
        self.kill(signal.SIGINT)

    def rename(self) -> None:
        """No file takes its place any more, after some that did."""
        replace, left = os.replace, int(self.number)

        def fail(source: Any, target: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
            replace(source, target)

        os.replace = fail

    def disk(self) -> None:
        """Fill the disk of the project, which must be a small one, up to some bytes."""
        disk = os.statvfs(".")
        assert disk.f_blocks * disk.f_frsize <= SMALL
        with Path(FILLER).open("wb") as filler:
            os.posix_fallocate(
                filler.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - int(self.number))
            )

    def inodes(self) -> None:
        """Take all but some inodes of the disk of the project, which must be a small one."""
        disk = os.statvfs(".")
        assert disk.f_blocks * disk.f_frsize <= SMALL
        Path(FILLER).mkdir()
        for number in range(os.statvfs(".").f_favail - int(self.number)):
            Path(FILLER, str(number)).touch()

    def memory(self) -> None:
        """Allow some megabytes more than the process has, as ``ulimit -v`` does."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + int(self.number * 1e6)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def size(self) -> None:
        """No file may have more than some bytes, as with ``ulimit -f``; the console's still may."""
        least = os.fstat(1).st_size + CONSOLE
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (least + int(self.number), hard))

    def shm(self) -> None:
        """Nothing can be made in /dev/shm, by this process and those that it starts from now on."""
        system = ctypes.CDLL(None, use_errno=True)
        mounts_of_its_own = 0x20000  # CLONE_NEWNS
        private, read_only = (1 << 18) | (1 << 14), 1  # MS_PRIVATE with MS_REC; MS_RDONLY
        if (
            system.unshare(mounts_of_its_own)
            or system.mount(b"none", b"/", None, private, None)
            or system.mount(b"none", b"/dev/shm", b"tmpfs", read_only, None)
        ):
            raise OSError(ctypes.get_errno(), "needs the right to mount")

    def database(self) -> None:
        """Another connection has locked MLflow's database, and does not let it go."""
        self.other = sqlite3.connect("mlflow.db", isolation_level=None)
        self.other.execute("BEGIN EXCLUSIVE")

    def clock(self) -> None:
        """The clock is set back by some days."""
        now = time.time
        time.time = lambda: now() - self.number * 86400
