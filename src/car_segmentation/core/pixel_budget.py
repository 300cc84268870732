"""A bound on the pixels that are in flight, for memory that grows with them and not with photos."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PIXELS_IN_FLIGHT = 64_000_000
"""Of photos at native size that are worked on at the same time. Sixteen photos of a studio; of
larger ones fewer, down to one."""
SMALL = 4_000_000
"""Images of so many pixels never wait for other processes: each worker holds one at most."""
POLL_SECONDS = 0.05


class Budget:
    """Budget of something, such as pixels, that threads may have in flight together.

    Args:
        total: A piece of work that needs more waits until it is alone.
    """

    def __init__(self, total: float = PIXELS_IN_FLIGHT):
        self._total = total
        self._taken = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: float) -> Iterator[None]:
        """Wait until there is room, and hold it while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + amount <= self._total)
            self._taken += amount
        try:
            yield
        finally:
            with self._changed:
                self._taken -= amount
                self._changed.notify_all()


@contextmanager
def shared_pixels(pixels: int, folder: Path | None = None) -> Iterator[None]:
    """Wait until an image may be decoded beside those of other processes of this machine.

    Images of up to `SMALL` pixels go ahead. Larger ones share `PIXELS_IN_FLIGHT`, in slots that are
    locked files: the system frees those of a process that is killed.

    Args:
        pixels: Of the image; one of more than `PIXELS_IN_FLIGHT` waits until no other is large.
        folder: Where the files are; None for one in this machine's temporary folder.
    """
    if pixels <= SMALL:
        yield
        return
    user = getattr(os, "getuid", int)()  # Windows has a temporary folder for each user.
    folder = folder or Path(tempfile.gettempdir()) / f"car_segmentation-{user}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    slots = PIXELS_IN_FLIGHT // SMALL
    missing = min(slots, -(-pixels // SMALL))
    with ExitStack() as held:
        # One process at a time collects slots, or two could each wait for what the other has.
        with FileLock(folder / "collecting", poll_interval=POLL_SECONDS):
            free = list(range(slots))
            while missing:
                for slot in tuple(free):
                    with suppress(Timeout):
                        held.enter_context(FileLock(folder / str(slot), timeout=0))
                        free.remove(slot)
                        missing -= 1
                    if not missing:
                        break
                else:
                    time.sleep(POLL_SECONDS)
        yield
