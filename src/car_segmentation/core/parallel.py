"""Map a function over photos in parallel: all of them with a progress bar, or a few ahead."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Literal, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

from car_segmentation.core.dask_cluster import Cluster, cluster_in_use, in_chunks, map_on_cluster
from car_segmentation.core.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_TASK = 16
"""Of a cluster: half a second's work, beside which a task's own millisecond is nothing."""


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

    Where `cluster.use_cluster` names a cluster, what is for processes goes there.

    Args:
        function: Called once per item; its results should be small, for the workers run on
            however slowly they are taken.
        items: What to work on.
        total: How many items there are, for the progress bar.
        description: What the progress bar says.
        workers: Processes decode images faster, for Pillow holds on to the interpreter's lock.
            Threads start at once and share memory.
    """
    cluster = cluster_in_use()
    results: Iterable[Result]
    if cluster is not None and workers == "processes":
        results = _stream_from(cluster, function, items)
    else:
        parallel = Parallel(n_jobs=-1, prefer=workers, return_as="generator")
        results = parallel(delayed(function)(item) for item in items)
    yield from tqdm(results, total=total, desc=description, unit="photo")


def _stream_from(
    cluster: Cluster, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Results of a cluster in the order of the items, though chunks get done in any order."""

    def work(chunk: Sequence[tuple[int, Item]]) -> list[Result]:
        return [function(item) for _, item in chunk]

    def killed(numbered: tuple[int, Item]) -> Result:
        raise UserError(
            f"Every worker that worked on this was killed, for want of memory perhaps: "
            f"{numbered[1]}"
        )

    chunks = in_chunks(enumerate(items), ITEMS_PER_TASK)
    early: dict[int, Result] = {}
    taken = 0
    for chunk, results in map_on_cluster(cluster, work, chunks, killed):
        early |= zip((number for number, _ in chunk), results, strict=True)
        while taken in early:
            yield early.pop(taken)
            taken += 1


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


def in_fresh_process(function: Callable[[], Result], what: str) -> Result:
    """Call a picklable function in a process of its own, and wait for its result.

    What the function imports, and the memory that it takes, are gone with the process.

    Args:
        function: What to call; its errors are raised here.
        what: Names the work in an error.

    Raises:
        UserError: If the process was killed, as the system does when memory is short, or crashed.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_call, function).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"{what} broke off, most likely because memory ran out: try a "
                "smaller batch, input size or width."
            ) from error


def _call(function: Callable[[], Result]) -> Result:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return function()


def _end_with_parent() -> None:
    """End this process as soon as the one that began it has ended, by a kill even."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
