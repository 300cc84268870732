"""A mistake of the user's, or a machine at its limits, ends a run with one message."""

import errno
import sqlite3
from collections.abc import Iterator

from click import ClickException
from kedro.framework.hooks import hook_impl

from car_segmentation.core.errors import UserError

AGAIN = "Nothing that was finished is lost: run the same command again."
MACHINE = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The quota of the disk is used up",
    errno.EFBIG: "A file may not grow any more (ulimit -f)",
    errno.EROFS: "The disk is read-only",
    errno.EIO: "The disk does not work",
    errno.EMFILE: "Too many files are open (ulimit -n)",
    errno.ENOMEM: "There is not enough memory",
}
"""Errors of the operating system that no code can mend."""


class UserErrors:
    """Turns an error that the user can fix into its one message."""

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Look for an error with a message for the user among the causes of the error."""
        for cause in _causes(error):
            message = _message(cause)
            if message:
                raise ClickException(message) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _message(error: BaseException) -> str | None:
    """The message for the user; None for errors of the program itself."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({str(error) or 'none was left'}). {AGAIN}"
    if isinstance(error, OSError) and error.errno in MACHINE:
        file = f": {error.filename}" if error.filename else ""
        return f"{MACHINE[error.errno]}{file} ({error.strerror}). {AGAIN}"
    if isinstance(error, sqlite3.OperationalError):
        return (
            f"A database cannot be written to ({error}): its disk is full, or another process "
            f"works with it. {AGAIN}"
        )
    return None
