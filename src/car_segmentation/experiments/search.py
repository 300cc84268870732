"""Search for better parameters: what a trial trains, the result of all, and which was best.

Optuna is in `search_study` alone.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import yaml

from car_segmentation.core.errors import UserError
from car_segmentation.experiments.network_comparison import (
    Candidate,
    ComparisonSetup,
    digest,
)
from car_segmentation.parameters import Network, SearchRange, Training, with_values

Space = Mapping[str, SearchRange]
Groups = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """The result of a trial's training.

    Attributes:
        validation_dice: Mean over validation photos at native size, at the best threshold; None if
            the trial was pruned.
        minutes: Of training alone; None likewise.
    """

    validation_dice: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class TrialRecord:
    """Record of a trial.

    Attributes:
        number: Optuna's, from 0.
        state: ``complete``, ``pruned`` (given up early), ``failed`` or ``killed``.
        validation_dice: See `Outcome`; None unless complete.
        last_val_dice: Dice at the network's own size after the last epoch, the pruner's measure.
        epochs: How many were trained.
        minutes: Of training, if complete.
        values: Of the searched parameters, by dotted name.
        retry_of: The number of the killed trial that this one repeats.
        reason: Why it failed.
        run_id: Its MLflow run.
    """

    number: int
    state: str
    validation_dice: float | None
    last_val_dice: float | None
    epochs: int
    minutes: float | None
    values: dict[str, Any]
    retry_of: int | None = None
    reason: str | None = None
    run_id: str | None = None


def check_networks(space: Space, network: Mapping[str, Any]) -> None:
    """Check the options of all networks in a space, which takes Keras.

    Raises:
        UserError: One message with all that is wrong.
    """
    from car_segmentation.networks.registry import check_options

    problems = []
    for name, searched in space.items():
        if name.partition(".")[0] != "network":
            continue
        for value in searched.samples():
            options = Network(**with_values({"network": network}, {name: value})["network"])
            try:
                check_options(options.architecture, options.options)
            except UserError as error:
                problems.append(f"search.space: {name}: {error}")
                break
    if problems:
        raise UserError("The search cannot begin:\n  " + "\n  ".join(problems))


def search_name(space: Space, minutes: float | None, groups: Groups, setup: ComparisonSetup) -> str:
    """A name that two searches share only if trials of one say something about the other."""
    content = {
        "space": {name: searched.model_dump() for name, searched in space.items()},
        "minutes": minutes,
        "else": digest(candidate("", groups), setup),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def candidate(name: str, groups: Groups) -> Candidate:
    """Candidate that a trial trains."""
    return Candidate(name, Network(**groups["network"]), Training(**groups["training"]))


def best_of(records: Sequence[TrialRecord]) -> TrialRecord:
    """The completed trial with the highest validation Dice, the first of equals.

    Raises:
        UserError: If none was completed; the message has the first trials' reasons.
    """
    completed = [record for record in records if record.validation_dice is not None]
    if not completed:
        reasons = [f"trial {record.number}: {record.reason}" for record in records if record.reason]
        raise UserError(
            f"None of {len(records)} trials was completed.\n  " + "\n  ".join(reasons[:3])
        )
    return max(completed, key=lambda record: (record.validation_dice or 0, -record.number))


def trials_table(records: Sequence[TrialRecord], space: Space) -> pd.DataFrame:
    """A row per trial in order, with a column for each searched parameter."""
    rows = []
    for record in records:
        row = asdict(record)
        values = row.pop("values")
        ending = {name: row.pop(name) for name in ("retry_of", "reason", "run_id")}
        rows.append(row | {name: _shown(values.get(name)) for name in space} | ending)
    table = pd.DataFrame(rows).rename(columns={"number": "trial"})
    return table.astype({"retry_of": "Int64"})


def format_values(values: Mapping[str, Any]) -> str:
    """Values in a few words: without their groups, numbers to three digits."""
    return ", ".join(f"{name.rpartition('.')[2]}={_short(value)}" for name, value in values.items())


def verdict(records: Sequence[TrialRecord]) -> str:
    """Result of a search, in one sentence."""
    best = best_of(records)
    counts = pd.Series([record.state for record in records]).value_counts()
    others = ", ".join(
        f"{counts[state]} {state}" for state in ("pruned", "failed", "killed") if state in counts
    )
    return (
        f"Trial {best.number} is the best of {counts['complete']} completed"
        f"{f' ({others})' if others else ''}: validation Dice {best.validation_dice:.4f} with "
        f"{format_values(best.values)}."
    )


def best_configuration(
    records: Sequence[TrialRecord], parameters: Mapping[str, Any], raw_data: str, file: str
) -> str:
    """The best trial as parameters that can be run.

    Args:
        records: Of all trials.
        parameters: All groups that the environment to come shall have; the best values take the
            place of theirs.
        raw_data: Where the searched photos are.
        file: Where the text will be, for the comment that says how to run it.

    Returns:
        YAML.
    """
    best = best_of(records)
    whole = {name: value for name, value in parameters.items() if not isinstance(value, Mapping)}
    groups = {name: value for name, value in parameters.items() if isinstance(value, Mapping)}
    text = yaml.safe_dump(
        # By way of JSON, which has no tuples.
        json.loads(json.dumps(whole | with_values(groups, best.values))),
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
    )
    return (
        f"# {verdict(records)}\n"
        "# To train this, and score it on the test cars:\n"
        f"#   mkdir -p conf/best && cp {file} conf/best/parameters.yml\n"
        f"#   kedro run --env=best --params=raw_data={raw_data}\n"
        f"{text}"
    )


def _shown(value: Any) -> Any:
    """A value in a table's cell."""
    return "null" if value is None else encoded(value)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(_shown(value))


def encoded(choice: Any) -> Any:
    """Optuna stores plain values alone: lists and groups travel as JSON."""
    return json.dumps(choice) if isinstance(choice, list | tuple | dict) else choice
