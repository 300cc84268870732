"""Bringing a run from the project's own database to a server that was away when it was made."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage, Metric, Param, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from tqdm import tqdm

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.core.errors import UserError
from car_segmentation.experiments.run_reading import PARENT, search_runs
from car_segmentation.experiments.tracking_server import CONTINUES, server_problem

UPLOADED_FROM = "uploaded_from"
"""Tag of an uploaded run: the id that it has where it was made."""
MODEL = "model"
"""Artifact folder of a run's model, as in runs:/RUN/model."""
PARAMETERS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""Most that MLflow takes in one request."""


@dataclass(frozen=True)
class Uploaded:
    """A run on a server.

    Attributes:
        run_id: Its id there.
        was_there: Whether all of it was there already.
        children: Number of runs under it, such as those of a comparison's networks.
    """

    run_id: str
    was_there: bool
    children: int = 0


def upload_run(run_id: str, source: str, server: str) -> Uploaded:
    """Copy a run with its parameters, tags, curves, scores, data sets, artifacts and model.

    So are the runs under it. A run that was copied in part, because the upload was killed, is
    completed; so is the run on the server that it continues. Versions in the registry of models are
    not copied: promote on the server what is to be used there.

    Args:
        run_id: Its id, or the beginning of it.
        source: Tracking address where it is.
        server: Tracking address where it goes.

    Raises:
        UserError: If there is no such run, it or one under it has not ended, or the server does not
            take it.
    """
    problem = server_problem(server, "name another with --to")
    if problem:
        raise UserError(problem)
    here, there = mlflow.MlflowClient(source), mlflow.MlflowClient(server)
    run = _find(here, run_id, source)
    children = _search(here, f"tags.`{PARENT}` = '{run.info.run_id}'")
    for each in (run, *children):
        if each.info.status == RunStatus.to_string(RunStatus.RUNNING):
            raise UserError(f"Run {each.info.run_name} ({each.info.run_id}) has not ended yet.")
    try:
        copies = [_upload(each, here, there, source) for each in (run, *children)]
    except Exception as error:  # MLflow's own, or of what moves artifacts (requests, S3 …).
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"The server did not take the run ({reason}). The same command continues the upload."
        ) from error
    return Uploaded(copies[0][0], all(was_there for _, was_there in copies), len(children))


def _find(client: mlflow.MlflowClient, run_id: str, source: str) -> Run:
    found = [run for run in _search(client) if run.info.run_id.startswith(run_id)]
    if len(found) != 1:
        many = f"{len(found)} runs have ids that begin" if found else "no run has an id that begins"
        raise UserError(f"In {source}, {many} with {run_id!r}. Give the whole id, as MLflow shows.")
    return found[0]


def _search(client: mlflow.MlflowClient, condition: str = "") -> list[Run]:
    """All runs of all experiments, or those that fulfil a condition."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(search_runs(client, experiments, condition))


def _upload(
    run: Run, here: mlflow.MlflowClient, there: mlflow.MlflowClient, source: str
) -> tuple[str, bool]:
    name = here.get_experiment(run.info.experiment_id).name
    known = there.get_experiment_by_name(name)
    experiment = known.experiment_id if known else there.create_experiment(name)
    copy = _copy(run.info.run_id, there)
    target = copy.info.run_id if copy else _begin(run, there, experiment)
    if parent := _copy(run.data.tags.get(PARENT, ""), there):
        there.set_tag(target, PARENT, parent.info.run_id)
    if copy and copy.info.status != RunStatus.to_string(RunStatus.RUNNING):
        return target, True
    tags = [
        RunTag(key, value)
        for key, value in run.data.tags.items()
        if key != PARENT and (key, value) != (CONTINUES, target)
    ]
    there.log_batch(target, tags=tags)
    parameters = [Param(key, value) for key, value in run.data.params.items()]
    for some in in_chunks(parameters, PARAMETERS_AT_ONCE):
        there.log_batch(target, params=some)
    for some in in_chunks(_points(run, here), METRICS_AT_ONCE):
        there.log_batch(target, metrics=some)
    if run.inputs and run.inputs.dataset_inputs:
        there.log_inputs(target, datasets=run.inputs.dataset_inputs)
    with tempfile.TemporaryDirectory() as folder:
        for place, files in tqdm(_artifacts(run, here, source, Path(folder)), "upload artifacts"):
            there.log_artifacts(target, str(files), place)
    there.set_terminated(target, run.info.status, run.info.end_time)
    return target, False


def _copy(run_id: str, there: mlflow.MlflowClient) -> Run | None:
    """The copy of a run on the server, whole or not."""
    copies = _search(there, f"tags.{UPLOADED_FROM} = '{run_id}'")
    return copies[0] if copies else None


def _begin(run: Run, there: mlflow.MlflowClient, experiment: str) -> str:
    """The run that a run goes to: the lost one that it continues, if it is there, or a new one."""
    if lost := run.data.tags.get(CONTINUES):
        try:
            if there.get_run(lost).info.lifecycle_stage == LifecycleStage.ACTIVE:
                there.update_run(lost, RunStatus.to_string(RunStatus.RUNNING))
                there.set_tag(lost, UPLOADED_FROM, run.info.run_id)
                return lost
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # Another server.
                raise
    tags = {UPLOADED_FROM: run.info.run_id}
    copy = there.create_run(experiment, run.info.start_time, tags, run.info.run_name)
    return str(copy.info.run_id)


def _points(run: Run, client: mlflow.MlflowClient) -> list[Metric]:
    """All points of all curves."""
    names = run.data.metrics
    return [point for name in names for point in client.get_metric_history(run.info.run_id, name)]


def _artifacts(
    run: Run, client: mlflow.MlflowClient, source: str, folder: Path
) -> Sequence[tuple[str | None, Path]]:
    """Folders of files, and where in the run's artifacts they go."""
    found: list[tuple[str | None, Path]] = []
    if client.list_artifacts(run.info.run_id):
        own = folder / "artifacts"
        own.mkdir()
        client.download_artifacts(run.info.run_id, "", str(own))
        found.append((None, own))
    # MLflow 3 keeps models beside the run's artifacts.
    for output in run.outputs.model_outputs if run.outputs else []:
        model = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{output.model_id}",
            dst_path=str(folder / output.model_id),
            tracking_uri=source,
        )
        found.append((MODEL, Path(model)))
    return found
