"""A mistake of the user's, or a machine at its limits, ends a run with one message.

Errors of nodes come to `UserErrors`, in whatever way a session was made. Those of hooks (MLflow's
database on a full disk, say) come to `ProjectSession` alone, which `kedro run` makes.
"""

import errno
import sqlite3
from collections.abc import Iterator
from typing import Any

from click import ClickException
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession
from kedro.runner import ParallelRunner

from car_segmentation.core.errors import UserError, is_out_of_memory
from car_segmentation.core.text import printable
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.experiments import tracking
from car_segmentation.hooks.termination import sigterm_as_interrupt

AGAIN = "Nothing that was finished is lost: run the same command again."
CHANGED = (
    ", though it was checked before: has it changed since? Restore it, or run `kedro run "
    "--pipelines=data_processing` again."
)
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


OF_OPTIONS = (
    "Pipeline contains no nodes",
    "Pipeline does not contain",
    "Failed to find the pipeline named",
    "'load_versions' keys",
)
"""Beginnings of Kedro's errors about options that cannot be followed."""


class ProjectSession(KedroSession):
    """A session whose run ends in one message wherever it fails."""

    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """See `KedroSession.run`."""
        if isinstance(kwargs.get("runner"), ParallelRunner):
            raise ClickException(
                "ParallelRunner cannot pass this project's datasets to its processes. Leave "
                "--runner away: the nodes use all processor cores by themselves."
            )
        outer = tracking.run_id()
        try:
            with sigterm_as_interrupt():
                return super().run(*args, **kwargs)
        except ClickException:
            raise
        except KeyboardInterrupt:
            tracking.abandon_runs("KILLED", outer)
            raise
        except Exception as error:
            tracking.abandon_runs("FAILED", outer)
            message = str(error) if str(error).startswith(OF_OPTIONS) else message_for(error)
            if message is None:
                raise
            raise ClickException(message) from None


class UserErrors:
    """Turns an error that the user can fix into its one message."""

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Look for an error with a message for the user among the causes of the error."""
        message = message_for(error)
        if message is not None:
            raise ClickException(message) from None


def message_for(error: BaseException) -> str | None:
    """The message of an error and its causes for the user; None for errors of the program.

    Characters in it that cannot be seen, as names of files may have them, are shown as Python
    writes them. The reason is what a user did wrong before what a machine lacks, and of that the
    first: where a run fails and its end cannot be noted either, both are among the causes.
    """
    message = _message(list(_causes(error)))
    return None if message is None else "\n".join(map(printable, message.split("\n")))


def _message(causes: list[BaseException]) -> str | None:
    for cause in causes:
        if isinstance(cause, UserError):
            return str(cause)
        if isinstance(cause, UnusableImage) and cause.path:
            return f"{printable(str(cause.path))} {cause}{CHANGED}"
    messages = [message for cause in causes if (message := _machine_message(cause))]
    return messages[-1] if messages else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _machine_message(error: BaseException) -> str | None:
    """The message about a machine at its limits; None for errors of the program itself."""
    if isinstance(error, OSError) and error.errno in MACHINE:
        file = f": {printable(str(error.filename))}" if error.filename else ""
        return f"{MACHINE[error.errno]}{file} ({error.strerror}). {AGAIN}"
    if is_out_of_memory(error):
        reason = (str(error).splitlines() or ["none was left"])[0][:200]
        return f"There is not enough memory ({reason}). {AGAIN}"
    if isinstance(error, sqlite3.OperationalError):
        return (
            f"A database cannot be written to ({error}): its disk is full, or another process "
            f"works with it. {AGAIN}"
        )
    return None
