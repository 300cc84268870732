"""Where runs are tracked: the project's own database, or a server, as long as it takes them."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException

from car_segmentation.core.databases import PATIENCE, READ, WRITE, problem_of, unreadable
from car_segmentation.core.errors import UserError
from car_segmentation.core.text import first_line

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
"""Seconds that a tracking server may take to accept a connection."""
OPEN_SECONDS = 60.0
"""Seconds to wait for another process that makes the database; it takes some five."""
DEFAULT_PORTS = {"http": 80, "https": 443}
CONTINUES = "continues"
"""Tag of a run that continues one whose server was lost: the id of that one."""
UPLOAD = (
    "Afterwards, this brings it to a server: python -m car_segmentation upload-run %s --to ADDRESS"
)
DATABASE, ARTIFACTS = "mlflow.db", "mlruns"
"""In the project's root."""
SQLITE = "sqlite:///"
NO_RUNS = "sqlite://"
"""Address of a store without runs, in memory: ending one there fails at once, and elsewhere not."""
END_SECONDS = 2.0
"""Seconds to wait for a locked database in which the end of a failed run is to be noted."""
RUNS = "all runs of MLflow"
"""Content of the database, for messages."""


def tracking_uri(project_root: Path) -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else a SQLite database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_database(project_root)


def artifact_location(project_root: Path) -> str | None:
    """A folder beside the database; a server keeps its artifacts where it likes."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    return (project_root / ARTIFACTS).as_uri()


def fail_fast() -> None:
    """Have MLflow give up on a server within seconds, where the user says nothing else.

    Its default is seven tries of two minutes each.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


def server_problem(
    uri: str, otherwise: str = "unset MLFLOW_TRACKING_URI", create: bool = False
) -> str | None:
    """Why a server does not track runs, and what to do; None if it does.

    Folders are not asked, nor databases that are not there yet. A server is asked for its
    experiments, because one that accepts connections may still refuse this user, or be a proxy with
    nothing behind it.

    Args:
        uri: Its address.
        otherwise: What the user can do but for mending it.
        create: See `check_own_database`.
    """
    check_own_database(uri, create)
    address = urlparse(uri)
    if address.scheme not in DEFAULT_PORTS or address.hostname is None:
        return None
    server = f"The MLflow server at {without_password(uri)}"
    port = address.port or DEFAULT_PORTS[address.scheme]
    try:
        socket.create_connection((address.hostname, port), CONNECT_SECONDS).close()
    except OSError:
        return f"{server} does not answer. Start the server, or {otherwise}."
    try:
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        return f"{server} {_what_to_do(error, otherwise)}"
    return None


def check_own_database(uri: str, create: bool = False) -> None:
    """Have MLflow open the database of an address ``sqlite:///FILE``, if it is there.

    Args:
        uri: The address; others are not looked at.
        create: Whether it is made if it is not there. Two processes that make it, or bring it to
            MLflow's version, at the same time break it: the second waits for the first.

    Raises:
        UserError: If it is of another version of MLflow, or lacks something.
    """
    database = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or not (create or database.is_file()):
        return
    # MLflow waits twice as long, and each time again.
    if problem := problem_of(database, READ, PATIENCE):
        raise UserError(unreadable(database, RUNS, problem))
    try:
        with _opened_by_one(database):
            mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow's own, or of one of the libraries that it uses.
        raise UserError(unreadable(database, RUNS, str(error).splitlines()[0])) from error


@contextmanager
def forgetting_what_cannot_be_noted() -> Iterator[None]:
    """Let runs end, in the block, without their database if it takes no changes now.

    MLflow would wait 20 seconds for each run, and then fail.
    """
    uri = mlflow.get_tracking_uri()
    database = Path(uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and problem_of(database, WRITE, END_SECONDS):
        mlflow.set_tracking_uri(NO_RUNS)
    try:
        yield
    finally:
        if mlflow.get_tracking_uri() != uri:
            mlflow.set_tracking_uri(uri)


@contextmanager
def _opened_by_one(database: Path) -> Iterator[None]:
    lock = FileLock(f"{database}.lock")
    with suppress(OSError, NotImplementedError):  # Without locks, or read-only: as it was.
        lock.acquire(timeout=OPEN_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _what_to_do(error: MlflowException, otherwise: str) -> str:
    """Describe what is wrong with a server that accepts connections, by its answer."""
    status = error.get_http_status_code()
    if status == 401:
        return (
            "needs a name and a password, or those that it got are wrong (401). Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN), or "
            f"{otherwise}."
        )
    if status == 403:
        return (
            "refuses this user (403). Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
            f"to a user that it accepts, or {otherwise}."
        )
    gateway = re.search(r"\b(429|5\d\d) error responses", str(error))
    if gateway:
        return (
            f"answers with error {gateway[1]}: it or the proxy in front of it is not working. Try "
            f"again later, or {otherwise}."
        )
    return f"does not respond like one ({first_line(error)}). Check its address, or {otherwise}."


@dataclass(frozen=True)
class LocalStore:
    """The database for a run that loses its server.

    Attributes:
        project_root: The project that has the database.
        experiment: The experiment's name.
    """

    project_root: Path
    experiment: str


_fallback: LocalStore | None = None


def fall_back_to(store: LocalStore | None) -> None:
    """Say where a run of this process continues if its server is lost; None: untracked."""
    global _fallback  # noqa: PLW0603
    _fallback = store


def leave_server(problem: str) -> None:
    """Leave a server that takes no more, and continue in the project's own database.

    The active run is not ended, which would ask the server, but put away.
    """
    store = _fallback
    lost = None
    instead = "continues without it"
    if store is not None:
        instead = f"continues in {own_database(store.project_root)}"
    logger.warning("%s The run %s; all results are in the data folder.", problem, instead)
    # A store without this run: ending it changes nothing anywhere.
    mlflow.set_tracking_uri(own_database(store.project_root) if store else NO_RUNS)
    while (run := mlflow.active_run()) is not None:
        lost = run.info
        with suppress(MlflowException):
            mlflow.end_run()
    if store is None or lost is None:
        return
    experiment = mlflow.get_experiment_by_name(store.experiment)
    instead_run = mlflow.start_run(
        experiment_id=(
            experiment.experiment_id
            if experiment
            else mlflow.create_experiment(
                store.experiment, (store.project_root / ARTIFACTS).as_uri()
            )
        ),
        run_name=lost.run_name,
        tags={CONTINUES: lost.run_id},
        log_system_metrics=False,
    )
    logger.warning(UPLOAD, instead_run.info.run_id)


def own_database(project_root: Path) -> str:
    """Address of the database in a project's root."""
    return f"sqlite:///{project_root / DATABASE}"


def without_password(uri: str) -> str:
    """An address as it may be shown: without the name and password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", uri)
