"""Ctrl-C and SIGTERM during a training: noticed between steps, so that its state can be saved."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)


@contextmanager
def notice_interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C or SIGTERM came inside the block.

    A second signal has its usual effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # Signals go to the main thread.
        return
    noticed: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def notice(number: int, frame: Any) -> None:
        noticed.append(number)
        restore()
        logger.warning("Stopping after this step. Press Ctrl-C again to stop at once.")

    for number in before:
        signal.signal(number, notice)
    try:
        yield lambda: bool(noticed)
    finally:
        restore()
