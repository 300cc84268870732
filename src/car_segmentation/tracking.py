"""The thin layer between the project and MLflow: what is logged beside the catalog's entries."""

import logging
import os
import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 3.0
"""How long a tracking server may take to accept a connection."""

DEFAULT_PORTS = {"http": 80, "https": 443}


def tracking_uri(project_root: Path) -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else a SQLite database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root / 'mlflow.db'}"


def artifact_location(project_root: Path) -> str | None:
    """A folder beside the database; a server keeps its artifacts where it likes."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    return (project_root / "mlruns").as_uri()


def fail_fast() -> None:
    """Have MLflow give up on a server within seconds, where the user says nothing else.

    Its default is seven tries of two minutes each.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


def answers(uri: str) -> bool:
    """Whether the server behind a tracking URI accepts connections; databases always do."""
    address = urlparse(uri)
    if address.scheme not in DEFAULT_PORTS or address.hostname is None:
        return True
    port = address.port or DEFAULT_PORTS[address.scheme]
    try:
        socket.create_connection((address.hostname, port), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def is_tracking() -> bool:
    """Whether there is a run to log to."""
    return mlflow.active_run() is not None


def log_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """Log the metrics of an epoch, as it ends, to the active run.

    A server that is away costs one warning, never the training.
    """
    if not is_tracking() or leave_if_away():
        return
    try:
        mlflow.log_metrics({name: float(value) for name, value in metrics.items()}, step=epoch)
    except MlflowException as error:
        reason = str(error).splitlines()[0][:200]
        logger.warning("MLflow did not take epoch %d; training goes on. (%s)", epoch + 1, reason)


def describe_run(
    name: str, note: str, tags: Mapping[str, str], parameters: Mapping[str, Any]
) -> None:
    """Name and describe the active run, in place of what kedro-mlflow says of it.

    Args:
        name: What a list of runs shows.
        note: Markdown that the run's page shows.
        tags: What runs can be filtered and compared by.
        parameters: All parameters by dotted name, so that any two runs compare in full.
    """
    client, run_id = mlflow.MlflowClient(), mlflow.active_run().info.run_id
    for tag in client.get_run(run_id).data.tags:
        if not tag.startswith("mlflow."):
            client.delete_tag(run_id, tag)
    mlflow.set_tags({"mlflow.runName": name, "mlflow.note.content": note, **tags})
    mlflow.log_params(dict(parameters))


def log_photos(photo_splits: pd.DataFrame, source: str) -> None:
    """Log the photos of each split as a data set of the active run.

    Args:
        photo_splits: Columns ``photo_id``, ``car``, ``split`` and more.
        source: The folder that the photos come from.
    """
    columns = ["photo_id", "car", "view", "height", "width", "foreground_share"]
    for split, photos in photo_splits.groupby("split"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It warns that a folder could be a folder.
            dataset = mlflow.data.from_pandas(
                photos[columns], source=source, name=f"{Path(source).name} {split}"
            )
            cars = photos["car"].nunique()
            counts = {"photos": str(len(photos)), "cars": str(cars)}
            mlflow.log_input(dataset, context=str(split), tags=counts)
        mlflow.set_tag(f"photos.{split}", f"{len(photos)} of {cars} cars")


def leave_if_away() -> bool:
    """Give the active run up, with one warning, if its server no longer answers.

    Returns:
        Whether the server is away.
    """
    uri = mlflow.get_tracking_uri()
    if answers(uri):
        return False
    if is_tracking():
        logger.warning(
            "The MLflow server at %s has stopped answering: the run goes on without it, and all "
            "results are in data/.",
            uri,
        )
        # Ending the run would ask the server.
        mlflow.tracking.fluent._active_run_stack.set([])
    return True
