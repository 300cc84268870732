"""Finding runs in MLflow, and reading what they recorded."""

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import Run, RunStatus

from car_segmentation.core.errors import UserError
from car_segmentation.core.tables import read_table
from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.parameters.messages import in_current_names

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow nests runs."""
WITHOUT_PHOTOS = "scores_made_before"
"""Tag of a run that logged scores which an earlier run had made, and so has no table of photos."""
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
            "Runs are compared by what MLflow has recorded, and MLflow is switched off "
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
        raise UserError(f"runs.before and runs.after are both {_label(first)}.")
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
            f"Run {_label(run)} has no {' and no '.join(missing)} among its artifacts: it was "
            "stopped early, or made before these were recorded. Make it again (`kedro run`), or "
            + otherwise
        )
    return record_of(run, read_photo_scores(run.info.run_id), read_photo_splits(run.info.run_id))


def record_of(run: Run, photo_scores: pd.DataFrame, photo_splits: pd.DataFrame) -> RunRecord:
    """What runs are compared by, of a run whose tables are known."""
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        started=_start_of(run),
        parameters=in_current_names(run.data.params),
        metrics=dict(run.data.metrics),
        photo_scores=photo_scores,
        photo_splits=photo_splits,
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


def read_photo_splits(run_id: str) -> pd.DataFrame:
    """The photos of a run and the split of each, a row each."""
    return _read_photo_table(run_id, SPLITS)


def read_train_cars(run_id: str) -> set[str]:
    """The cars that a run trained on."""
    splits = read_photo_splits(run_id)
    return set(splits.loc[splits["split"] == "train", "car"])


def runs_with_scores(experiment_id: str) -> list[Run]:
    """The runs of an experiment that ended well and have scores, the newest first."""
    return _with_scores(_runs(experiment_id))


def _with_scores(runs: Iterable[Run]) -> list[Run]:
    """Without runs under another one: the networks of a comparison have no masks."""
    return [
        run
        for run in runs
        if ended_well(run)
        and HEADLINE in run.data.metrics
        and not {PARENT, WITHOUT_PHOTOS} & run.data.tags.keys()
    ]


def search_runs(
    client: mlflow.MlflowClient, experiments: list[str], condition: str = ""
) -> Iterator[Run]:
    """All runs of some experiments that fulfil a condition, the newest first."""
    newest_first, token = ["attributes.start_time DESC"], None
    while True:
        page = client.search_runs(experiments, condition, order_by=newest_first, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _runs(experiment_id: str) -> Iterator[Run]:
    return search_runs(mlflow.MlflowClient(), [experiment_id])


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
        listed = "\n  ".join(_label(run) for run in found)
        raise UserError(f"{len(found)} runs are called {given!r}; give an id:\n  {listed}")
    return found[0]


def _same(run: Run, other: Run | None) -> bool:
    return other is not None and run.info.run_id == other.info.run_id


def _label(run: Run) -> str:
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


def ended_well(run: Run) -> bool:
    """True if a run finished: neither failed nor killed."""
    return bool(run.info.status == RunStatus.to_string(RunStatus.FINISHED))
