"""Imports of packages that a library can use but does not need, left out where starting counts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

KERAS_EXTRAS = ("IPython", "matplotlib", "pandas", "sklearn")
"""What Keras imports for notebooks, plots, tables and wrappers, where it is installed: with what
these import themselves, a third of all modules that it loads."""


@contextmanager
def left_out(*packages: str) -> Iterator[None]:
    """Let imports of packages fail as if they were not installed, unless they are loaded already.

    A library that asks for one of them meanwhile does without it for the rest of the process, so
    this is for a process of a single task. Not for several threads.

    Args:
        *packages: Names of top-level packages.
    """
    absent = [name for name in packages if name not in sys.modules]
    # Python's own way to say that a module cannot be imported (reference, 5.3.1).
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
