"""Map a function over photos in parallel, with a progress bar."""

from collections.abc import Callable, Iterable
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
    """Apply ``function`` to every item, one worker per core, and return the results in order.

    A surrounding ``joblib.parallel_config(backend=…)`` takes the work elsewhere, to a Dask
    cluster say.

    Args:
        function: Called once per item; its results should be small, for all are kept.
        items: What to work on.
        total: How many items there are, for the progress bar.
        description: What the progress bar says.
        workers: Processes decode images faster, for Pillow holds on to the interpreter's lock.
            Threads start at once and share memory.
    """
    parallel = Parallel(n_jobs=-1, prefer=workers, return_as="generator")
    results = parallel(delayed(function)(item) for item in items)
    return list(tqdm(results, total=total, desc=description, unit="photo"))
