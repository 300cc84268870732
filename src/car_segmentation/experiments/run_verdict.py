"""Name and verdict of a run in MLflow's list: the changed parameters, and whether they helped.

Every run is compared with an earlier one of the same environment and photos: the last that was made
as conf/ says, or, where there is none, simply the last. The difference is paired over the test
photos that both scored, as in the comparison of two runs.
"""

import json
import logging
from collections.abc import Mapping, Sequence

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from car_segmentation.core.errors import UserError
from car_segmentation.evaluation.bootstrap import Difference
from car_segmentation.evaluation.run_comparison import (
    RunRecord,
    changed_parameters,
    compare_scores,
    dice_difference,
    difference_metrics,
)
from car_segmentation.experiments import run_reading, tracking

logger = logging.getLogger(__name__)

CHANGED, HELPED, COMPARED_WITH = "changed", "helped", "compared_with"
"""Tags of a run: what differs from conf/, whether it helped, and the id of the earlier run."""
NOTHING = "nothing"
"""Description of a run with the parameters of conf/."""
SHARED_TAGS = ("environment", "raw_data")
"""Tags that two runs share if one is compared with the other."""

NOTE = "mlflow.note.content"
VIEW = "what_helped"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
"""Where MLflow's pages look for a view of that key, in an experiment's tags."""
EXPERIMENT_NOTE = """\
A run's name begins with what was changed for it; `helped` says whether Dice rose significantly. \
It is *yes* or *no* where the 95 % interval of `comparison.dice_change`, the change of the test \
photos' mean Dice from the last run that was made as conf/ says, excludes zero, else *unsure*. \
A run's description has the interval, and every parameter that differs. The button *Views* has a \
view of all this.
"""
COLUMN_WIDTHS = {
    "attributes.`Run Name`": 300,
    f"tags.`{HELPED}`": 80,
    "metrics.`comparison.dice_change`": 175,
    f"metrics.`{run_reading.HEADLINE}`": 130,
    "metrics.`test.edge_error_px`": 140,
    "attributes.`Description`": 420,
    "duration": 80,
}
"""The columns of the view, in order, and how wide they are: pixels."""


def run_name(kind: str, changes: Mapping[str, object]) -> str:
    """Texts for a list of runs: the changes first, because such lists are narrow.

    Args:
        kind: Network, input size and environment.
        changes: What was changed for the run, by dotted name.

    Example:
        >>> run_name("segnet_unet 240×160 demo", {"training.loss": "dice"})
        'loss=dice · segnet_unet 240×160 demo'
    """
    changed = ", ".join(f"{name.rpartition('.')[2]}={value}" for name, value in changes.items())
    return f"{changed} · {kind}" if changed else kind


def describe_experiment() -> None:
    """Give the active run's experiment a note and a view, unless it has its own."""
    run = mlflow.active_run()
    client = mlflow.MlflowClient()
    experiment = client.get_experiment(run.info.experiment_id)
    for tag, value in ((NOTE, EXPERIMENT_NOTE), (VIEW_TAG, _view(experiment.creation_time or 0))):
        if tag not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, tag, value)


def annotate_with_verdict(
    summary: Mapping[str, float], photo_scores: pd.DataFrame, seed: int
) -> None:
    """Annotate the active run with its scores, and with whether it is better than an earlier one.

    What MLflow cannot find costs the comparison, never the run.

    Args:
        summary: ``dice_mean``, ``edge_error_px`` and ``photos`` of the test photos.
        photo_scores: A row per test photo.
        seed: Of the interval.
    """
    run = mlflow.get_run(mlflow.active_run().info.run_id)
    scores = (
        f"Test Dice {summary['dice_mean']:.4f}, edge error {summary['edge_error_px']:.1f} px, "
        f"{summary['photos']:,} photos."
    )
    found = None
    try:
        found = _comparison(run, photo_scores, seed)
    except (UserError, MlflowException, OSError) as error:
        logger.warning(
            "This run is not compared with an earlier one: %s", str(error).splitlines()[0]
        )
    if found is None:
        mlflow.set_tag(NOTE, f"{scores}\n\n{run.data.tags.get(NOTE, '')}")
        return
    earlier, difference = found
    mlflow.log_metrics(difference_metrics(difference), step=0)
    mlflow.set_tags(
        {
            HELPED: verdict(difference),
            COMPARED_WITH: earlier.run_id,
            NOTE: "\n\n".join(
                [
                    f"{change_text(difference)} against {earlier.label}. {scores}",
                    _changes(changed_parameters(earlier, _record(run, photo_scores))),
                    run.data.tags.get(NOTE, ""),
                ]
            ),
        }
    )


def verdict(difference: Difference) -> str:
    """Verdict on a change of Dice: ``yes``, ``no``, ``unsure`` or ``no change``."""
    interval = difference.interval
    if not difference.better and not difference.worse:
        return "no change"
    if interval is None or interval.low <= 0 <= interval.high:
        return "unsure"
    return "yes" if interval.low > 0 else "no"


def change_text(difference: Difference) -> str:
    """The change of Dice in words, what matters first: lists of runs cut it short."""
    says = {
        "yes": "Better",
        "no": "Worse",
        "unsure": "No significant difference",
        "no change": "The same masks",
    }[verdict(difference)]
    interval = difference.interval
    sure = f" (95%: {interval.low:+.4f} to {interval.high:+.4f})" if interval else ""
    return f"{says}: Dice {difference.mean:+.4f}{sure}"


def comparable(run: Run, other: Run) -> bool:
    """True if two runs have the same environment and photos."""
    return all(run.data.tags.get(tag) == other.data.tags.get(tag) for tag in SHARED_TAGS)


def _comparison(
    run: Run, photo_scores: pd.DataFrame, seed: int
) -> tuple[RunRecord, Difference] | None:
    """The earlier run that a run is compared with, and how Dice changed; None without one."""
    earlier = _reference(run, run_reading.runs_with_scores(run.info.experiment_id))
    if earlier is None:
        return None
    before = _record(earlier, run_reading.read_photo_scores(earlier.info.run_id))
    changes = compare_scores(before, _record(run, photo_scores))
    return before, dice_difference(changes, seed)


def _reference(run: Run, runs: Sequence[Run]) -> Run | None:
    """The run to compare another one with, of runs with the newest first."""
    earlier = [
        other
        for other in runs
        if other.info.run_id != run.info.run_id
        and other.info.start_time <= run.info.start_time
        and comparable(run, other)
    ]
    unchanged = (other for other in earlier if other.data.tags.get(CHANGED) == NOTHING)
    return next(unchanged, earlier[0] if earlier else None)


def _record(run: Run, photo_scores: pd.DataFrame) -> RunRecord:
    return run_reading.record_of(run, photo_scores, photo_splits=pd.DataFrame())


def _changes(changed: pd.DataFrame) -> str:
    """Parameters that differ, as a table in Markdown."""
    if changed.empty:
        return "No parameter differs."
    return tracking.markdown_table(changed.set_axis(["parameter", "there", "here"], axis=1))


def _view(created: int) -> str:
    """A view of MLflow's list of runs, as its pages write it themselves."""
    state = {
        "selectedColumns": [name for name in COLUMN_WIDTHS if "`" in name],
        "columnOrder": list(COLUMN_WIDTHS),
        "columnWidths": COLUMN_WIDTHS,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": "What changed, and did it help", "createdAt": created, "updatedAt": created}
    return json.dumps({**view, "state": json.dumps(state)})
