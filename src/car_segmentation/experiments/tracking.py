"""Values logged to MLflow in addition to the catalog's entries."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import mlflow
import pandas as pd
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from car_segmentation.core.tables import write_table
from car_segmentation.core.text import first_line
from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.experiments.run_reading import PARENT, SPLITS, WITHOUT_PHOTOS, ended_well
from car_segmentation.experiments.tracking_server import (
    CONTINUES,
    NO_RUNS,
    fail_fast,
    forgetting_what_cannot_be_noted,
    leave_server,
    server_problem,
)
from car_segmentation.parameters import CARS, Subject, flatten

logger = logging.getLogger(__name__)


def is_tracking() -> bool:
    """True if there is a run to log to."""
    return mlflow.active_run() is not None


def has_reachable_run() -> bool:
    """True if there is a run to log to, after leaving a server that is lost."""
    if is_tracking() and (problem := server_problem(uri())):
        leave_server(problem)
    return is_tracking()


def run_id() -> str | None:
    """The id of the active run, or None where nothing is tracked."""
    run = mlflow.active_run()
    return None if run is None else str(run.info.run_id)


def abandon_runs(status: Literal["FAILED", "KILLED"], outer: str | None = None) -> None:
    """End the active runs, which MLflow takes for finished when the process ends.

    Those whose end cannot be written are forgotten.

    Args:
        status: How they ended.
        outer: A run that stays active, with those around it.
    """
    with forgetting_what_cannot_be_noted():
        while run_id() not in (None, outer):
            try:
                mlflow.end_run(status)
            except Exception:  # MLflow's own, or of the database below it.
                mlflow.set_tracking_uri(NO_RUNS)  # Each attempt at the other may take seconds.


def run_label() -> str:
    """Name and id of the active run; empty where nothing is tracked."""
    active = run_id()
    return "" if active is None else f"{mlflow.get_run(active).info.run_name} ({active})"


def can_be_resumed(run_id: str, parameters: Mapping[str, Any]) -> bool:
    """True if a run stopped before its end, and had the same parameters.

    Args:
        run_id: Its id.
        parameters: All of this run, by dotted name; MLflow lets none of a run's be changed.
    """
    if server_problem(uri()):
        return False
    try:
        run = mlflow.get_run(run_id)
    except MlflowException:  # Deleted, or in another database.
        return False
    return (
        run.info.lifecycle_stage == LifecycleStage.ACTIVE
        and not ended_well(run)
        and run.data.params.items()
        <= {name: str(value) for name, value in parameters.items()}.items()
    )


def log_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """Log the metrics of an epoch, as it ends, to the active run.

    An epoch that the run has already, because its training is continued, is not logged again. A
    server that is away costs one warning, never the training.
    """
    if not has_reachable_run():
        return
    try:
        logged = mlflow.MlflowClient().get_metric_history(run_id() or "", next(iter(metrics)))
        if any(point.step == epoch for point in logged):
            return
        mlflow.log_metrics({name: float(value) for name, value in metrics.items()}, step=epoch)
    except MlflowException as error:
        logger.warning(
            "MLflow did not take epoch %d; training continues. (%s)", epoch + 1, first_line(error)
        )


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
        if not tag.startswith("mlflow.") and tag != CONTINUES:
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
    if not has_reachable_run():
        yield None
        return
    # Not in the experiment that was set first: that is the lost server's, where one was lost.
    experiment = mlflow.active_run().info.experiment_id
    with mlflow.start_run(
        experiment_id=experiment, run_name=name, nested=True, tags={"architecture": architecture}
    ) as run:
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
    if run_id is None or not has_reachable_run():
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


def mark_scores_as_made_before() -> None:
    """Keep the active run, which has scores but not the photos' own, out of comparisons."""
    mlflow.set_tag(WITHOUT_PHOTOS, "yes")


def log_result(
    metrics: Mapping[str, float], parameters: Mapping[str, Any], photo_scores: pd.DataFrame
) -> None:
    """Log the result of a network: its numbers, its settings, and a table of all test photos."""
    if not has_reachable_run():
        return
    mlflow.log_params(flatten(parameters))
    mlflow.log_metrics(dict(metrics), step=0)
    mlflow.log_table(photo_scores, "photo_scores.json")


def log_groups(groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Log groups of parameters by dotted name."""
    if has_reachable_run():
        mlflow.log_params(flatten(groups))


def log_numbers(metrics: Mapping[str, float]) -> None:
    """Log what a run came to."""
    if has_reachable_run():
        mlflow.log_metrics(dict(metrics), step=0)


def tag_run(**tags: str) -> None:
    """Tag the active run."""
    if has_reachable_run():
        mlflow.set_tags(tags)


def annotate_run(name: str, note: str, tags: Mapping[str, str]) -> None:
    """Name the active run, note something on its page, and tag it."""
    if has_reachable_run():
        mlflow.set_tags({"mlflow.runName": name, "mlflow.note.content": note, **tags})


def annotate_comparison(verdict: str, table: pd.DataFrame) -> None:
    """Record the results of the children in the active run."""
    if not has_reachable_run():
        return
    annotate_run(
        f"{len(table)} networks compared: {table['name'][0]} is best",
        f"**{verdict}**\n\n{markdown_table(table)}",
        {},
    )
    mlflow.log_table(table, "network_table.json", run_id=run_id())


def markdown_table(table: pd.DataFrame) -> str:
    """A table as the notes of runs show it."""
    rows = [table.columns.tolist(), ["---"] * len(table.columns), *table.values.tolist()]
    return "\n".join(f"| {' | '.join(_short(value) for value in row)} |" for row in rows)


def _short(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


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
