"""Search for better parameters with Optuna: what is tried next, when to give up, what is best.

All that a search knows is in one SQLite file, Optuna's own, so that it goes on after a kill.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from car_segmentation.core.errors import UserError
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.experiments.network_comparison import (
    Candidate,
    ComparisonSetup,
    augmentation_of,
    digest,
)
from car_segmentation.parameters import Network, Search, SearchRange, Training, with_values

if TYPE_CHECKING:
    import optuna

    from car_segmentation.training.trainer import OnEpochEnd

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a trial is begun that is killed each time, before it counts as failed."""
TRIALS_PER_PARAMETER = 10
"""Completed trials for each parameter without which nothing is said of importance: a rule of thumb
of regression."""

Space = Mapping[str, SearchRange]
Groups = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What became of a trial's training.

    Attributes:
        validation_dice: Mean over validation photos at native size, at the best threshold; None if
            the trial was pruned.
        minutes: Of training alone; None likewise.
    """

    validation_dice: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class TrialRecord:
    """What is known of a trial.

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

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def check_installed() -> None:
    """Refuse to search without Optuna.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("The search needs Optuna: pip install -e '.[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def check_networks(space: Space, network: Mapping[str, Any]) -> None:
    """Check the options of all networks in a space, which takes Keras.

    Raises:
        UserError: One message with all that is wrong.
    """
    from car_segmentation.networks import check_options

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
    """What a trial trains."""
    return Candidate(name, Network(**groups["network"]), Training(**groups["training"]))


def augmentation(groups: Groups) -> Augmentation:
    """How a trial varies photos."""
    return augmentation_of(groups["augmentation"])


def open_study(file: Path, name: str, settings: Search, epochs: int) -> "optuna.Study":
    """The study of a name, begun if it is not there.

    Args:
        file: SQLite database for any number of studies.
        name: See `search_name`.
        settings: For the pruner.
        epochs: Of a training at most.
    """
    import optuna

    file.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=f"sqlite:///{file.resolve()}",
        study_name=name,
        direction="maximize",
        pruner=_pruner(settings, epochs),
        load_if_exists=True,
    )


def requeue_interrupted_trials(study: "optuna.Study") -> None:
    """Mark trials that a kill has left as killed, and queue the same values again."""
    import optuna

    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        tries = trial.user_attrs.get("tries", 1)
        storage, trial_id = study._storage, trial._trial_id  # `Study` has no public way.
        storage.set_trial_user_attr(trial_id, "killed", tries < TRIES)
        if tries >= TRIES:
            reason = f"The trial was killed {TRIES} times: does it take too much memory?"
            storage.set_trial_user_attr(trial_id, "reason", reason)
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if tries < TRIES:
            logger.info("Trial %d was killed; its parameters are tried again.", trial.number)
            about = {"retry_of": trial.number, "tries": tries + 1}
            study.enqueue_trial(trial.params, user_attrs=about)


def trials_to_train(study: "optuna.Study", settings: Search, seed: int) -> Iterator["optuna.Trial"]:
    """Ask for one trial after the other, until there are enough; each must be told of.

    Values depend on the seed and on the trials before alone: not on kills between them.
    """
    import optuna

    while (done := number_done(study)) < settings.trials:
        # A sampler with the same seed in every process would draw the same values again.
        draw = np.random.default_rng((seed, done)).integers(2**31)
        study.sampler = optuna.samplers.TPESampler(seed=int(draw))
        yield study.ask(_distributions(settings.space))


def number_done(study: "optuna.Study") -> int:
    """How many trials count: all that ended by themselves."""
    return sum(
        trial.state.is_finished() and not trial.user_attrs.get("killed")
        for trial in study.get_trials(deepcopy=False)
    )


def values_of(trial: Any, space: Space) -> dict[str, Any]:
    """The values of a trial by dotted name, as they stand in ``conf/``."""
    return {
        name: _decoded(value, space[name]) for name, value in trial.params.items() if name in space
    }


def watch_epochs(study: "optuna.Study", trial_id: int, tell: "OnEpochEnd") -> "OnEpochEnd":
    """Report each epoch's Dice to a trial, from a process that did not begin it.

    Args:
        study: Opened in this process.
        trial_id: Optuna's id of the trial in its storage, which is not its number.
        tell: Is told of each epoch as well, before.

    Returns:
        For `training.train`; raises ``optuna.TrialPruned`` when the trial is not worth going on.
    """
    import optuna

    trial = optuna.Trial(study, trial_id)

    def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
        tell(epoch, metrics)
        trial.report(metrics["val_dice"], epoch + 1)
        if trial.should_prune():
            raise optuna.TrialPruned

    return on_epoch_end


def tell_outcome(study: "optuna.Study", trial: "optuna.Trial", outcome: Outcome) -> None:
    """Note what became of a trial."""
    import optuna

    if outcome.validation_dice is None:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    trial.set_user_attr("minutes", outcome.minutes)
    study.tell(trial, outcome.validation_dice)


def tell_failure(study: "optuna.Study", trial: "optuna.Trial", reason: str) -> None:
    """Note that a trial could not be trained, and why."""
    import optuna

    trial.set_user_attr("reason", reason)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)


def records_of(study: "optuna.Study", space: Space) -> list[TrialRecord]:
    """All trials of a study that have ended, killed ones included."""
    import optuna

    states = {
        optuna.trial.TrialState.COMPLETE: "complete",
        optuna.trial.TrialState.PRUNED: "pruned",
        optuna.trial.TrialState.FAIL: "failed",
    }
    records = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state not in states:
            continue
        state, about = states[trial.state], trial.user_attrs
        last = trial.last_step
        records.append(
            TrialRecord(
                number=trial.number,
                state="killed" if about.get("killed") else state,
                validation_dice=trial.value if state == "complete" else None,
                last_val_dice=None if last is None else trial.intermediate_values[last],
                epochs=len(trial.intermediate_values),
                minutes=about.get("minutes"),
                values=values_of(trial, space),
                retry_of=about.get("retry_of"),
                reason=about.get("reason"),
                run_id=about.get("run_id"),
            )
        )
    return records


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
        row = record.as_dict()
        values = row.pop("values")
        ending = {name: row.pop(name) for name in ("retry_of", "reason", "run_id")}
        rows.append(row | {name: _shown(values.get(name)) for name in space} | ending)
    table = pd.DataFrame(rows).rename(columns={"number": "trial"})
    return table.astype({"retry_of": "Int64"})


def importance(records: Sequence[TrialRecord], space: Space) -> dict[str, float]:
    """How much of the spread of Dice each parameter accounts for (fANOVA, Hutter et al. 2014).

    Returns:
        Shares that add up to 1, the largest first; empty where there are fewer completed trials
        than `TRIALS_PER_PARAMETER` of each parameter, for then they are mostly chance.
    """
    import optuna

    completed = [record for record in records if record.validation_dice is not None]
    if len(space) < 2 or len(completed) < TRIALS_PER_PARAMETER * len(space):
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: _encoded(value) for name, value in record.values.items()},
                distributions=_distributions(space),
                value=record.validation_dice,
            )
            for record in completed
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def format_values(values: Mapping[str, Any]) -> str:
    """Values in a few words: without their groups, numbers to three digits."""
    return ", ".join(f"{name.rpartition('.')[2]}={_short(value)}" for name, value in values.items())


def verdict(records: Sequence[TrialRecord]) -> str:
    """What came out of a search, in one sentence."""
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


def _pruner(settings: Search, epochs: int) -> "optuna.pruners.BasePruner":
    import optuna

    if settings.pruner == "median":
        return optuna.pruners.MedianPruner(settings.startup_trials, settings.warmup_epochs)
    if settings.pruner == "hyperband":
        least = min(settings.warmup_epochs, epochs)
        return optuna.pruners.HyperbandPruner(min_resource=least, max_resource=epochs)
    return optuna.pruners.NopPruner()


def _distributions(space: Space) -> "dict[str, optuna.distributions.BaseDistribution]":
    return {name: _distribution(searched) for name, searched in space.items()}


def _distribution(searched: SearchRange) -> "optuna.distributions.BaseDistribution":
    from optuna import distributions

    if searched.choices is not None:
        return distributions.CategoricalDistribution(
            [_encoded(choice) for choice in searched.choices]
        )
    if searched.whole:
        return distributions.IntDistribution(
            searched.low, searched.high, searched.log, searched.step or 1
        )
    return distributions.FloatDistribution(searched.low, searched.high, searched.log, searched.step)


def _encoded(choice: Any) -> Any:
    """Optuna stores plain values alone: lists and groups travel as JSON."""
    return json.dumps(choice) if isinstance(choice, list | tuple | dict) else choice


def _decoded(value: Any, searched: SearchRange) -> Any:
    for choice in searched.choices or ():
        if type(value) is type(_encoded(choice)) and value == _encoded(choice):
            return choice
    return value


def _shown(value: Any) -> Any:
    """A value in a table's cell."""
    return "null" if value is None else _encoded(value)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(_shown(value))
