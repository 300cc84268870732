"""The thin layer between the project and MLflow: what is logged beside the catalog's entries."""

import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow
import pandas as pd
from mlflow.entities import LifecycleStage, Run, RunStatus
from mlflow.exceptions import MlflowException

from car_segmentation.core.errors import UserError
from car_segmentation.core.tables import read_table, write_table
from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.parameters import CARS, Subject, flatten
from car_segmentation.parameters.messages import in_current_names

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 3.0
"""How long a tracking server may take to accept a connection."""

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow nests runs."""
SCORES, SPLITS, MASKS = "photo_scores.csv", "photo_splits.csv", "predicted_masks.csv.gz"
"""Artifacts of a run that runs are compared by."""
HEADLINE = "test.dice_mean"
"""The metric that a run has if it has scores."""

PHOTO_TEXT = (
    *("photo_id", "car", "view", "photo_path", "mask_path", "year", "make", "model", "split"),
)
"""Columns of text in tables of photos; the others are numbers."""
ROWS_AT_ONCE = 200
"""Rows of a table of masks that are in memory at a time."""

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


def is_reachable(uri: str) -> bool:
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


def run_id() -> str | None:
    """The id of the active run, or None where nothing is tracked."""
    run = mlflow.active_run()
    return None if run is None else str(run.info.run_id)


def can_be_resumed(run_id: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a run stopped before its end, and had none of its parameters otherwise.

    Args:
        run_id: Its id.
        parameters: All of this run, by dotted name; MLflow lets none of a run's be changed.
    """
    if not is_reachable(uri()):
        return False
    try:
        run = mlflow.get_run(run_id)
    except MlflowException:  # Deleted, or in another database.
        return False
    return (
        run.info.lifecycle_stage == LifecycleStage.ACTIVE
        and not _ended_well(run)
        and run.data.params.items()
        <= {name: str(value) for name, value in parameters.items()}.items()
    )


def log_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """Log the metrics of an epoch, as it ends, to the active run.

    An epoch that the run has already, because its training is continued, is not logged again. A
    server that is away costs one warning, never the training.
    """
    if not is_tracking() or drop_run_if_unreachable():
        return
    try:
        logged = mlflow.MlflowClient().get_metric_history(run_id() or "", next(iter(metrics)))
        if any(point.step == epoch for point in logged):
            return
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


def log_photos(photo_splits: pd.DataFrame, source: str, subject: Subject = CARS) -> None:
    """Log the photos of each split as a data set of the active run, and their whole table.

    Args:
        photo_splits: Columns ``photo_id``, ``car``, ``split`` and more.
        source: The folder that the photos come from.
        subject: What a car is called.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_table(photo_splits, Path(folder) / SPLITS)
        mlflow.log_artifact(str(Path(folder) / SPLITS))
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
        mlflow.set_tag(f"photos.{split}", f"{len(photos)} of {subject.count(cars)}")


def uri() -> str:
    """Where this process tracks to."""
    return mlflow.get_tracking_uri()


@contextmanager
def child_run(name: str, architecture: str) -> Iterator[str | None]:
    """A run under the active one, for another process to log to.

    Yields:
        Its id, or None where nothing is tracked. The run ends with the block: failed, if the
        block does.
    """
    if not is_tracking() or drop_run_if_unreachable():
        yield None
        return
    with mlflow.start_run(run_name=name, nested=True, tags={"architecture": architecture}) as run:
        yield run.info.run_id


def resume_run(tracking_uri: str, run_id: str | None) -> None:
    """Have this process log to a run that another process began."""
    if run_id is not None:
        fail_fast()
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.start_run(run_id, log_system_metrics=False)


def reparent_run(run_id: str | None) -> None:
    """Show a run of an interrupted comparison or search under the active run.

    What was left unfinished with it is marked as killed.
    """
    if run_id is None or not is_tracking() or drop_run_if_unreachable():
        return
    client, active = mlflow.MlflowClient(), mlflow.active_run().info
    try:
        former_parent = client.get_run(run_id).data.tags.get(PARENT, "")
        client.set_tag(run_id, PARENT, active.run_id)
        siblings = client.search_runs(
            [active.experiment_id], f"tags.`{PARENT}` = '{former_parent}'"
        )
        for run in (client.get_run(former_parent), client.get_run(run_id), *siblings):
            if run.info.status == "RUNNING" and run.info.run_id != active.run_id:
                client.set_terminated(run.info.run_id, "KILLED")
    except MlflowException:  # Deleted by the user, or in another database.
        logger.warning("MLflow does not know the run %s, or its parent, any more.", run_id)


def log_result(
    metrics: Mapping[str, float], parameters: Mapping[str, Any], photo_scores: pd.DataFrame
) -> None:
    """Log what became of a network: its numbers, its settings, and a table of all test photos."""
    if not is_tracking() or drop_run_if_unreachable():
        return
    log_groups(parameters)
    mlflow.log_metrics(dict(metrics), step=0)
    mlflow.log_table(photo_scores, "photo_scores.json")


def log_groups(groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Log groups of parameters by dotted name."""
    if not is_tracking() or drop_run_if_unreachable():
        return
    mlflow.log_params(flatten(groups))


def log_numbers(metrics: Mapping[str, float]) -> None:
    """Log what a run came to."""
    if is_tracking() and not drop_run_if_unreachable():
        mlflow.log_metrics(dict(metrics), step=0)


def annotate_run(name: str, note: str, tags: Mapping[str, str]) -> None:
    """Name the active run, note something on its page, and tag it."""
    if is_tracking() and not drop_run_if_unreachable():
        mlflow.set_tags({"mlflow.runName": name, "mlflow.note.content": note, **tags})


def annotate_comparison(verdict: str, table: pd.DataFrame) -> None:
    """Have the active run say what came out of its children."""
    if not is_tracking() or drop_run_if_unreachable():
        return
    annotate_run(
        f"{len(table)} networks compared: {table['name'][0]} is best",
        f"**{verdict}**\n\n{markdown_table(table)}",
        {},
    )
    mlflow.log_table(table, "network_table.json", run_id=mlflow.active_run().info.run_id)


def markdown_table(table: pd.DataFrame) -> str:
    """A table as the notes of runs show it."""
    rows = [table.columns.tolist(), ["---"] * len(table.columns), *table.values.tolist()]
    return "\n".join(f"| {' | '.join(_short(value) for value in row)} |" for row in rows)


def _short(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def drop_run_if_unreachable() -> bool:
    """Give the active run up, with one warning, if its server no longer answers.

    Returns:
        Whether the server is away.
    """
    if is_reachable(uri()):
        return False
    if is_tracking():
        logger.warning(
            "The MLflow server at %s has stopped answering: the run goes on without it, and all "
            "results are in data/.",
            uri(),
        )
        # Ending the run would ask the server.
        mlflow.tracking.fluent._active_run_stack.set([])
    return True


def compared_runs(before: str | None, after: str | None) -> tuple[Run, Run]:
    """Two runs of the active run's experiment.

    Args:
        before: The id of a run, its beginning, or the run's name. Without one, the last run before
            the other that ended well and has scores.
        after: As ``before``; without one, the last run that ended well and has scores.

    Raises:
        UserError: If there are no two such runs, or a name is nobody's, or several runs'.
    """
    active = mlflow.active_run()
    if active is None:
        raise UserError(
            "Runs are compared by what MLflow has of them, and MLflow is switched off "
            "(conf/*/mlflow.yml) or its server does not answer."
        )
    runs = [
        run for run in _runs(active.info.experiment_id) if run.info.run_id != active.info.run_id
    ]
    scored = _with_scores(runs)
    first = None if before is None else _the_one(runs, before)
    if after is not None:
        second = _the_one(runs, after)
    else:
        second = next((run for run in scored if not _same(run, first)), None)
    if first is None and second is not None:
        older = (run for run in scored if run.info.start_time < second.info.start_time)
        first = next(older, None)
    if first is None or second is None:
        raise UserError(
            f"MLflow ({mlflow.get_tracking_uri()}) has {len(scored)} finished runs with scores in "
            "this experiment, and a comparison takes two. Call `kedro run` for another, or name "
            "runs: --params=runs.before=RUN,runs.after=RUN"
        )
    if _same(first, second):
        raise UserError(f"runs.before and runs.after are both {_described(first)}.")
    return first, second


def read_run(
    run: Run, otherwise: str = "name another: --params=runs.before=RUN,runs.after=RUN"
) -> RunRecord:
    """Fetch what runs are compared by, but for the masks.

    Args:
        run: The run.
        otherwise: What the user can do if it is lacking, but for making it again.

    Raises:
        UserError: If the run lacks an artifact, `MASKS` included.
    """
    there = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    missing = [name for name in (SCORES, SPLITS, MASKS) if name not in there]
    if missing:
        raise UserError(
            f"Run {_described(run)} has no {' and no '.join(missing)} among its artifacts: it was "
            "stopped early, or made before these were recorded. Make it again (`kedro run`), or "
            + otherwise
        )
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        started=_start_of(run),
        parameters=in_current_names(run.data.params),
        metrics=dict(run.data.metrics),
        photo_scores=_read_photo_table(run.info.run_id, SCORES),
        photo_splits=_read_photo_table(run.info.run_id, SPLITS),
    )


def read_masks(run_id: str, photos: Collection[str]) -> dict[str, str]:
    """The predicted masks of some photos, by the name of the photo's file, as run lengths."""
    with _artifact(run_id, MASKS) as path:
        chunks = pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=ROWS_AT_ONCE)
        wanted = pd.concat([chunk[chunk["img"].isin(photos)] for chunk in chunks])
    return dict(zip(wanted["img"], wanted["rle_mask"], strict=True))


def read_photo_scores(run_id: str) -> pd.DataFrame:
    """The scores of the test photos of a run, a row each."""
    return _read_photo_table(run_id, SCORES)


def describe_comparison(before: RunRecord, after: RunRecord) -> None:
    """Name the active run after the two that it compares."""
    describe_run(
        name=f"comparison: {before.label} → {after.label}",
        note=f"Which test photos got better and worse from {before.label}, started "
        f"{before.started}, to {after.label}, started {after.started}: `run_comparison.html` among "
        "the artifacts.",
        tags={"kind": "comparison", "before": before.run_id, "after": after.run_id},
        parameters={},
    )


def runs_with_scores(experiment_id: str) -> list[Run]:
    """The runs of an experiment that ended well and have scores, the newest first."""
    return _with_scores(_runs(experiment_id))


def _with_scores(runs: Iterable[Run]) -> list[Run]:
    """Without runs under another one: the networks of a comparison have no masks."""
    return [
        run
        for run in runs
        if _ended_well(run) and HEADLINE in run.data.metrics and PARENT not in run.data.tags
    ]


def _runs(experiment_id: str) -> Iterator[Run]:
    """All runs of an experiment, the newest first."""
    client, token = mlflow.MlflowClient(), None
    while True:
        page = client.search_runs(
            [experiment_id], order_by=["attributes.start_time DESC"], page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _the_one(runs: Collection[Run], given: str) -> Run:
    """The run whose id is or begins with what is given, or else the one of that name."""
    found = [run for run in runs if run.info.run_id.startswith(given)] or [
        run for run in runs if run.info.run_name == given
    ]
    if not found:
        raise UserError(
            f"No run in MLflow ({mlflow.get_tracking_uri()}) has an id that begins with {given!r}, "
            "nor that name. `make mlflow` shows all runs."
        )
    if len(found) > 1:
        listed = "\n  ".join(_described(run) for run in found)
        raise UserError(f"{len(found)} runs are called {given!r}; give an id:\n  {listed}")
    return found[0]


def _same(run: Run, other: Run | None) -> bool:
    return other is not None and run.info.run_id == other.info.run_id


def _ended_well(run: Run) -> bool:
    return bool(run.info.status == RunStatus.to_string(RunStatus.FINISHED))


def _described(run: Run) -> str:
    return f"{run.info.run_id} ({run.info.run_name}, started {_start_of(run)})"


def _start_of(run: Run) -> str:
    """When a run started, in local time."""
    return f"{datetime.fromtimestamp(run.info.start_time / 1000, UTC).astimezone():%Y-%m-%d %H:%M}"


def _read_photo_table(run_id: str, name: str) -> pd.DataFrame:
    with _artifact(run_id, name) as path:
        return read_table(path, PHOTO_TEXT)


@contextmanager
def _artifact(run_id: str, name: str) -> Iterator[Path]:
    """A copy of an artifact, there until the block ends."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # One per small file.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(
            mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=folder)
        )
