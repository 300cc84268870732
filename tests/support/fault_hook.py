"""A hook that breaks a run on purpose: copied into a project, called by its settings.

The variable FAULT says how: ``KIND NODE NUMBER``, from the beginning of a node on.
"""

import errno
import os
import signal
import threading
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node


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

    def kill(self) -> None:
        """SIGKILL after some seconds, whatever runs then."""
        timer = threading.Timer(self.number, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def disk(self) -> None:
        """No file takes its place any more, after some that did."""
        replace, left = os.replace, int(self.number)

        def fail(source: Any, target: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
            replace(source, target)

        os.replace = fail
