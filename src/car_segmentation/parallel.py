"""Map a function over photos in parallel: all of them with a progress bar, or a few ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_photos(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    total: int,
    description: str,
    workers: Literal["processes", "threads"] = "processes",
) -> list[Result]:
    """Apply ``function`` to every item, and return the results in order: see `stream_photos`."""
    return list(stream_photos(function, items, total, description, workers))


def stream_photos(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    total: int,
    description: str,
    workers: Literal["processes", "threads"] = "processes",
) -> Iterator[Result]:
    """Apply ``function`` to every item, one worker per core, and yield the results in order.

    A surrounding ``joblib.parallel_config(backend=…)`` takes the work elsewhere, to a Dask
    cluster say.

    Args:
        function: Called once per item; its results should be small, for the workers run on
            however slowly they are taken.
        items: What to work on.
        total: How many items there are, for the progress bar.
        description: What the progress bar says.
        workers: Processes decode images faster, for Pillow holds on to the interpreter's lock.
            Threads start at once and share memory.
    """
    parallel = Parallel(n_jobs=-1, prefer=workers, return_as="generator")
    results = parallel(delayed(function)(item) for item in items)
    yield from tqdm(results, total=total, desc=description, unit="photo")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Apply ``function`` to items in threads, and yield the results in order.

    No more than ``ahead`` items are in work or waiting to be taken, whatever their number:
    joblib's generators run on to the last item however slowly results are taken. Stages that feed
    each other work at the same time, and a slow one holds up those before it.

    Args:
        function: Called once per item, in a thread.
        items: What to work on; taken in the thread that takes the results.
        ahead: How many items may be under way.
    """
    pool = ThreadPoolExecutor(min(ahead, os.cpu_count() or 1))
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) == ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
