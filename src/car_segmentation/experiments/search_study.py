"""The Optuna study: the next trial, pruning, results.

All that a search knows is in one SQLite file, Optuna's own, so that a killed search resumes.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from car_segmentation.core.databases import check_database, unreadable
from car_segmentation.core.errors import UserError
from car_segmentation.experiments.search import Outcome, Space, TrialRecord, encoded
from car_segmentation.parameters import Search, SearchRange

if TYPE_CHECKING:
    import optuna

    from car_segmentation.training.trainer import OnEpochEnd

logger = logging.getLogger(__name__)

TRIES = 3
"""Number of kills after which a trial counts as failed."""
KILLED_TOO_OFTEN = f"The trial was killed {TRIES} times: does it take too much memory?"
TRIALS_PER_PARAMETER = 10
"""Completed trials for each parameter without which nothing is said of importance: a rule of thumb
of regression."""

TRIALS = "all trials of the search"
"""Content of the database, for messages."""


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


def open_study(file: Path, name: str, settings: Search, epochs: int) -> "optuna.Study":
    """The study of a name, begun if it is not there.

    Args:
        file: SQLite database for any number of studies.
        name: See `search_name`.
        settings: For the pruner.
        epochs: Of a training at most.

    Raises:
        UserError: If the database is damaged, or of another version of Optuna.
    """
    import optuna

    file.parent.mkdir(parents=True, exist_ok=True)
    check_database(file, TRIALS)
    try:
        return optuna.create_study(
            storage=_address(file),
            study_name=name,
            direction="maximize",
            pruner=_pruner(settings, epochs),
            load_if_exists=True,
        )
    except Exception as error:  # Optuna's own, or SQLAlchemy's, which it passes on.
        raise UserError(unreadable(file, TRIALS, str(error))) from error


def requeue_interrupted_trials(study: "optuna.Study") -> None:
    """End trials that a kill has left, and queue the same values again.

    A trial that failed by itself has a reason, see `tell_failure`; one without was killed.
    """
    import optuna

    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        tries = trial.user_attrs.get("tries", 1)
        if tries < TRIES:
            logger.info("Trial %d was killed; its parameters are tried again.", trial.number)
            about = {"retry_of": trial.number, "tries": tries + 1}
            study.enqueue_trial(trial.params, user_attrs=about)


def trials_to_train(study: "optuna.Study", settings: Search, seed: int) -> Iterator["optuna.Trial"]:
    """Ask for one trial after the other, until there are enough.

    Each needs `tell_outcome` or `tell_failure`. Values depend on the seed and on the trials before
    alone: not on kills between them.
    """
    import optuna

    while (done := number_done(study)) < settings.trials:
        # A sampler with the same seed in every process would draw the same values again.
        draw = np.random.default_rng((seed, done)).integers(2**31)
        study.sampler = optuna.samplers.TPESampler(seed=int(draw))
        yield study.ask(_distributions(settings.space))


def number_done(study: "optuna.Study") -> int:
    """Count the trials that ended by themselves, or were killed too often."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state.is_finished() and not _will_be_retried(trial) for trial in trials)


def values_of(trial: Any, space: Space) -> dict[str, Any]:
    """The values of a trial by dotted name, as they stand in ``conf/``."""
    return {
        name: _decoded(value, space[name]) for name, value in trial.params.items() if name in space
    }


def watch_epochs(
    file: Path, study: "optuna.Study", number: int, tell: "OnEpochEnd"
) -> "OnEpochEnd":
    """Report each epoch's Dice to a trial, from a process that did not begin it.

    Args:
        file: The study's database.
        study: Opened in this process.
        number: Of the trial.
        tell: Called at the end of each epoch as well, before.

    Returns:
        For `training.train`; raises ``optuna.TrialPruned`` when the trial is not worth continuing.
    """
    import optuna

    storage = optuna.storages.RDBStorage(_address(file))
    study_id = storage.get_study_id_from_name(study.study_name)
    trial = optuna.Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
        tell(epoch, metrics)
        trial.report(metrics["val_dice"], epoch + 1)
        if trial.should_prune():
            raise optuna.TrialPruned

    return on_epoch_end


def tell_outcome(study: "optuna.Study", trial: "optuna.Trial", outcome: Outcome) -> None:
    """Note the result of a trial."""
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
                state="killed" if _will_be_retried(trial) else state,
                validation_dice=trial.value if state == "complete" else None,
                last_val_dice=None if last is None else trial.intermediate_values[last],
                epochs=len(trial.intermediate_values),
                minutes=about.get("minutes"),
                values=values_of(trial, space),
                retry_of=about.get("retry_of"),
                reason=about.get("reason", KILLED_TOO_OFTEN if state == "failed" else None),
                run_id=about.get("run_id"),
            )
        )
    return records


def importance(records: Sequence[TrialRecord], space: Space) -> dict[str, float]:
    """Fraction of Dice's variance that each parameter explains (fANOVA, Hutter et al. 2014).

    Returns:
        Fractions that add up to 1, the largest first; empty where there are fewer completed trials
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
                params={name: encoded(value) for name, value in record.values.items()},
                distributions=_distributions(space),
                value=record.validation_dice,
            )
            for record in completed
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _address(file: Path) -> str:
    return f"sqlite:///{file.resolve()}"


def _will_be_retried(trial: "optuna.trial.FrozenTrial") -> bool:
    """True if a trial was killed, and not too often."""
    import optuna

    about = trial.user_attrs
    failed = trial.state == optuna.trial.TrialState.FAIL
    return failed and "reason" not in about and about.get("tries", 1) < TRIES


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
            [encoded(choice) for choice in searched.choices]
        )
    if searched.whole:
        return distributions.IntDistribution(
            searched.low, searched.high, searched.log, searched.step or 1
        )
    return distributions.FloatDistribution(searched.low, searched.high, searched.log, searched.step)


def _decoded(value: Any, searched: SearchRange) -> Any:
    for choice in searched.choices or ():
        if type(value) is type(encoded(choice)) and value == encoded(choice):
            return choice
    return value
