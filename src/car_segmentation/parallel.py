"""Map a function over photos in parallel, with a progress bar."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], total: int, description: str
) -> list[Result]:
    """Apply ``function`` to every item and return the results in order.

    Threads, because decoding and resizing release the interpreter's lock. A surrounding
    ``joblib.parallel_config(backend=…)`` takes the work elsewhere, to a Dask cluster say.

    Args:
        function: Called once per item; its results should be small, for all are kept.
        items: What to work on.
        total: How many items there are, for the progress bar.
        description: What the progress bar says.
    """
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    results = parallel(delayed(function)(item) for item in items)
    return list(tqdm(results, total=total, desc=description, unit="photo"))
