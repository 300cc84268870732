"""Map over photos on a Dask cluster: https://distributed.dask.org.

Workers read and write photos in folders that they share with this machine; what travels is the
function, once, and then paths and small results. A task whose worker dies is done again by another
one, so functions must do no harm when they are called twice with the same photos.

Dask executes whatever it is sent: keep its ports in a private network, or behind TLS, which Dask's
own configuration sets up.
"""

import logging
import operator
import pickle
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from car_segmentation.core.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 15
"""Seconds that a scheduler may take to answer."""
WORKERS_SECONDS = 180
"""Seconds that a cluster may be without a worker, while it starts or replaces them."""
LOOK_SECONDS = 5
"""Seconds between two looks at the cluster, for workers that come and go."""
TASKS_PER_THREAD = 2
"""One in work and one waiting."""


@dataclass(frozen=True)
class Cluster:
    """Where photos are worked on in place of this machine.

    Attributes:
        scheduler: Its address, such as ``tcp://10.0.0.5:8786``.
        shared: Folders and files that workers have to see under the same paths.
    """

    scheduler: str
    shared: tuple[Path, ...] = ()


_in_use: Cluster | None = None


def use_cluster(cluster: Cluster | None) -> None:
    """Send the work on photos to a cluster from now on; None for this machine.

    A setting of the process, not of a thread, because Kedro runs nodes in threads of its own.
    """
    global _in_use  # noqa: PLW0603
    _in_use = cluster


def cluster_in_use() -> Cluster | None:
    """Where photos are worked on; None for this machine."""
    return _in_use


def map_on_cluster(
    cluster: Cluster,
    function: Callable[[Sequence[Item]], Sequence[Result]],
    chunks: Iterable[Sequence[Item]],
    killed: Callable[[Item], Result],
) -> Iterator[tuple[Sequence[Item], Sequence[Result]]]:
    """Apply a function to chunks of items, and yield each with its results as it gets done.

    Chunks are taken as workers get free, so that their number costs no memory. Workers may come
    and go. What a dying worker had in work is done again by others. A chunk that outlives several
    workers (Dask's ``distributed.scheduler.allowed-failures``) is taken apart, to find the item
    that kills them.

    Args:
        cluster: Where.
        function: Called with a chunk, in a worker; returns a result for each item. Sent once.
        chunks: What to work on.
        killed: What stands for the result of an item that kills its workers; it may raise.

    Raises:
        UserError: If the cluster cannot be reached or goes away, has no workers, or they lack the
            package or do not see the shared folders.
    """
    with _connected(cluster.scheduler) as client:
        import cloudpickle  # Comes with distributed.
        from distributed import KilledWorker

        # As a task, and not as scattered data, which would be lost with the workers that have it;
        # and as bytes, so that the scheduler can do without this package.
        packed = cloudpickle.dumps(partial(_work, cluster.shared, function))
        work = client.submit(pickle.loads, packed, pure=False)
        again: list[Sequence[Item]] = []
        waiting = iter(chunks)
        under_way: dict[Future, Sequence[Item]] = {}
        room = _Room(client)
        while True:
            while len(under_way) < room.tasks():
                chunk = again.pop() if again else next(waiting, None)
                if chunk is None:
                    break
                future = client.submit(operator.call, work, cloudpickle.dumps(chunk), pure=False)
                under_way[future] = chunk
            if not under_way:
                return
            for future in _done(client, cluster, under_way):
                chunk = under_way.pop(future)
                error = future.exception() if future.status == "error" else None
                if error is None:
                    yield chunk, future.result()
                elif not isinstance(error, KilledWorker):
                    raise _explained(error)
                elif len(chunk) > 1:
                    again += [[item] for item in chunk]
                else:
                    yield chunk, [killed(chunk[0])]


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a sequence into lists of at most ``size`` items.

    Example:
        >>> list(in_chunks("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


@contextmanager
def _connected(address: str) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"`cluster` is {address}, and the package for clusters is not installed: "
            "pip install -e '.[cluster]'. Or leave `cluster` null to work on this machine."
        ) from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"No Dask scheduler answers at {address}, which `cluster` names "
            f"({error or type(error).__name__}). Start one (`dask scheduler`), or leave `cluster` "
            "null to work on this machine."
        ) from error
    with client:
        yield client


class _Room:
    """Number of tasks that the cluster can take, as of the last few seconds."""

    def __init__(self, client: "Client"):
        self._client = client
        self._looked = float("-inf")
        self._tasks = 0

    def tasks(self) -> int:
        if time.monotonic() > self._looked + LOOK_SECONDS:
            threads = sum(self._client.nthreads().values())
            # Without workers too: clusters that grow with their work need some to begin.
            self._tasks = TASKS_PER_THREAD * max(1, threads)
            self._looked = time.monotonic()
        return self._tasks


def _done(client: "Client", cluster: Cluster, futures: "Iterable[Future]") -> "list[Future]":
    """Wait until some are done; the cluster may be without workers for a while, but not away."""
    from distributed import CancelledError, wait

    # `as_completed` would wait forever where the last worker has gone.
    while True:
        try:
            with client.as_current():
                return list(wait(list(futures), LOOK_SECONDS, return_when="FIRST_COMPLETED").done)
        except CancelledError as error:
            raise _gone(cluster) from error
        except TimeoutError:
            _wait_for_a_worker(client, cluster)


def _wait_for_a_worker(client: "Client", cluster: Cluster) -> None:
    if client.status != "running":
        raise _gone(cluster)
    if client.nthreads():
        return
    logger.warning("The cluster at %s has no workers: waiting", cluster.scheduler)
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as error:
        raise UserError(
            f"The Dask cluster at {cluster.scheduler} had no workers for {WORKERS_SECONDS} "
            f"seconds. Start some (`dask worker {cluster.scheduler}`), and run again."
        ) from error
    except OSError as error:
        raise _gone(cluster) from error


def _gone(cluster: Cluster) -> UserError:
    return UserError(
        f"The Dask scheduler at {cluster.scheduler} can no longer be reached. Restart it, "
        "then run again."
    )


def _explained(error: BaseException) -> BaseException:
    """An error of a task, in the user's words where the user can mend it."""
    if isinstance(error, ModuleNotFoundError):
        return UserError(
            f"Workers of the cluster lack a package ({error}): install the project, in the same "
            "version and with the same packages (requirements.lock), wherever a worker runs."
        )
    return error


def _work(
    shared: Sequence[Path],
    function: Callable[[Sequence[Item]], Sequence[Result]],
    packed: bytes,
) -> Sequence[Result]:
    """Task of a worker: look for the folders first, or all photos would seem to be broken."""
    unseen = [str(path) for path in shared if not path.exists()]
    if unseen:
        raise UserError(
            f"A worker on {socket.gethostname()} does not see {', '.join(unseen)}. Photos and "
            "results have to be in folders that all machines of the cluster share, under the same "
            "paths."
        )
    return function(pickle.loads(packed))
