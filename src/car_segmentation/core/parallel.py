"""Map a function over photos in parallel: with a progress bar, or with a bound on memory."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
"""On a cluster: half a second of work, against a millisecond of overhead for a task."""


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

    Work for processes goes to the cluster that `dask_cluster.use_cluster` names, if any.

    Args:
        function: Called once per item; its results should be small, because workers do not
            wait until results are taken.
        items: What to work on.
        total: How many items there are, for the progress bar.
        description: What the progress bar says.
        workers: Processes decode images faster, for Pillow holds the interpreter's lock (GIL).
            Threads start at once and share memory; they do all work where processes cannot share
            semaphores, as without ``/dev/shm``.
    """
    cluster = cluster_in_use()
    results: Iterable[Result]
    if cluster is not None and workers == "processes":
        results = _stream_from(cluster, function, items)
    elif not _processes_can_share():  # joblib would work serially.
        results = map_bounded(function, items, ahead=2 * (os.cpu_count() or 1))
    else:
        parallel = Parallel(n_jobs=-1, prefer=workers, return_as="generator")
        results = parallel(delayed(function)(item) for item in items)
    yield from tqdm(results, total=total, desc=description, unit="photo")


def _processes_can_share() -> bool:
    """True if processes can share semaphores, which Linux keeps in ``/dev/shm``."""
    try:
        multiprocessing.get_context().Semaphore()
    except (ImportError, OSError):
        return False
    return True


def _stream_from(
    cluster: Cluster, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Results of a cluster in the order of the items, though chunks get done in any order."""

    def work(chunk: Sequence[tuple[int, Item]]) -> list[Result]:
        return [function(item) for _, item in chunk]

    def killed(numbered: tuple[int, Item]) -> Result:
        raise UserError(
            f"Every worker that processed this was killed, possibly for lack of memory: "
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


def map_bounded(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
    threads: int | None = None,
) -> Generator[Result, None, None]:
    """Apply ``function`` to items in threads, and yield the results in order.

    At most ``ahead`` items are in flight (in work, or waiting to be taken), so memory is bounded
    however many there are; joblib's generators work through all items however slowly results are
    taken. Chained maps run at the same time, and a slow one holds up those before it.

    Args:
        function: Called once per item, in a thread.
        items: What to work on; taken in the thread that takes the results.
        ahead: How many items may be in flight.
        threads: None for one per core.
    """
    pool = ThreadPoolExecutor(min(ahead, threads or os.cpu_count() or 1))
    in_flight: deque[Future[Result]] = deque()
    try:
        for item in items:
            in_flight.append(pool.submit(function, item))
            if len(in_flight) == ahead:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_fresh_process(function: Callable[[], Result], what: str) -> Result:
    """Call a picklable function in a process of its own, and wait for its result.

    What the function imports, and the memory that it takes, are gone with the process.

    Args:
        function: What to call; its errors are raised here.
        what: Names the work in an error.

    Raises:
        UserError: If the process was killed, as the system does when memory is short, or crashed,
            or cannot be started.
    """
    if not _processes_can_share():
        raise UserError(
            f"{what} needs a process of its own, and processes cannot share semaphores here: make "
            "/dev/shm writable."
        )
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_call, function).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"{what} was killed, most likely out of memory: try a smaller batch, input size or "
                "width."
            ) from error


def _call(function: Callable[[], Result]) -> Result:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return function()


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, even by a kill."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
