"""A few photos in work, a few requests waiting, and all others told when to come back."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.problems import too_busy

Result = TypeVar("Result")

FIRST_GUESS = 1.0
"""Seconds that a photo takes, before one was measured."""
MEMORY = 0.9
"""Of the mean of measured seconds, per photo."""


class WorkQueue:
    """Runs work in threads, first come, first served.

    Args:
        at_once: Calls at the same time.
        waiting: Callers that may wait for their turn.
        metrics: Told of both.
    """

    def __init__(self, at_once: int, waiting: int, metrics: Metrics):
        self._at_once = at_once
        self._most_waiting = waiting
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="photo")
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._seconds = FIRST_GUESS

    async def run(
        self, work: Callable[[threading.Event], Result], is_admitted: bool = False
    ) -> Result:
        """Wait for a turn, and run the work.

        A caller that is cancelled leaves the queue. Work that has begun ends by itself, soon if it
        looks at the event that it is given; its turn is over only then.

        Args:
            work: Called in a thread, with an event that is set when nobody wants the result.
            is_admitted: Whether the caller may wait however long the queue is.

        Raises:
            Problem: Status 429, if the queue is full.
        """
        if not is_admitted and self._turns.locked() and self._waiting >= self._most_waiting:
            self._metrics.refused.inc()
            seconds = (self._waiting + 1) * self._seconds / self._at_once
            raise too_busy(429, "Too many requests are waiting; try again later.", seconds)
        self._waiting += 1
        self._metrics.waiting.inc()
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
            self._metrics.waiting.dec()
        loop = asyncio.get_running_loop()
        unwanted = threading.Event()
        start = time.perf_counter()

        def end_turn(_: Future[Result]) -> None:
            seconds = time.perf_counter() - start
            self._seconds = MEMORY * self._seconds + (1 - MEMORY) * seconds
            self._metrics.photos.observe(seconds)
            self._metrics.in_work.dec()
            with suppress(RuntimeError):  # The loop has ended.
                loop.call_soon_threadsafe(self._turns.release)

        self._metrics.in_work.inc()
        future = self._pool.submit(work, unwanted)
        future.add_done_callback(end_turn)
        try:
            return await asyncio.wrap_future(future)
        finally:
            unwanted.set()
