"""Nodes of the search pipeline."""

import logging
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.errors import UserError
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.experiments import search, search_study, tracking
from car_segmentation.experiments.network_comparison import (
    ComparisonSetup,
    augmentation_of,
    seconds_per_training_photo,
    train_candidate,
)
from car_segmentation.experiments.search import Groups, Outcome, TrialRecord
from car_segmentation.networks.keras_start import start_keras
from car_segmentation.parameters import ImageSize, Search, with_values
from car_segmentation.pipelines.slow_types import Figure

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

STUDIES, CHECKPOINTS = "trials.db", "checkpoints"
"""In the search's folder: what Optuna knows, and the state of the trial in training."""
BEST_PARAMETERS = "08_reporting/best_parameters.yml"
"""Where in the data folder the catalog puts `write_best_parameters`."""

Records = list[dict[str, Any]]


def search_parameters(
    photos: ImageStack,
    soft_masks: ImageStack,
    photo_splits: pd.DataFrame,
    augmentation: dict[str, Any],
    image: dict[str, Any],
    network: dict[str, Any],
    training: dict[str, Any],
    parameters: dict[str, Any],
    seed: int,
    folder: Path,
) -> Records:
    """Train one trial after the other, each in a process and a run of its own."""
    settings = Search(**parameters)
    search_study.check_installed()
    with suppress_native_stderr():
        search.check_networks(settings.space, network)
    groups = {"augmentation": augmentation, "network": network, "training": training}
    setup = ComparisonSetup(
        photos=photos,
        soft_masks=soft_masks,
        photo_splits=photo_splits,
        image=ImageSize(**image),
        augmentation=augmentation_of(augmentation),
        minutes=settings.minutes,
        timed_steps=settings.timed_steps,
        seed=seed,
    )
    name = search.search_name(settings.space, settings.minutes, groups, setup)
    study = search_study.open_study(folder / STUDIES, name, settings, training["epochs"])
    search_study.requeue_interrupted_trials(study)
    earlier = search_study.records_of(study, settings.space)
    if earlier:
        logger.info("Resuming a search with %d trials.", len(earlier))
    for record in earlier:
        tracking.reparent_run(record.run_id)
    for trial in search_study.trials_to_train(study, settings, seed):
        values = search_study.values_of(trial, settings.space)
        logger.info(
            "Trial %d (%d of %d): %s",
            *(trial.number, search_study.number_done(study) + 1, settings.trials),
            search.format_values(values),
        )
        _run_trial(study, trial, values, groups, setup, settings, folder)
    return [asdict(record) for record in search_study.records_of(study, settings.space)]


def tabulate_trials(
    search_records: Records, parameters: dict[str, Any], data_folder: str
) -> pd.DataFrame:
    """Put all trials into a table, and say which is the best."""
    records = _read(search_records)
    table = search.trials_table(records, Search(**parameters).space)
    verdict = search.verdict(records)
    best = search.best_of(records)
    tracking.annotate_run(
        f"{len(table)} trials: {search.format_values(best.values)} is best",
        f"**{verdict}**\n\n{tracking.markdown_table(table)}",
        {"best_trial": str(best.number)},
    )
    tracking.log_numbers({"validation.dice_mean": best.validation_dice or 0})
    logger.info(
        "%s\nTo train it and score it on the test cars: see the head of %s/%s",
        *(verdict, data_folder, BEST_PARAMETERS),
    )
    return table


def plot_trials(search_records: Records, parameters: dict[str, Any]) -> Figure:
    """Show what each trial came to, and how that goes with each parameter."""
    from car_segmentation.report.plots.experiments import trials

    space, records = Search(**parameters).space, _read(search_records)
    logarithmic = [name for name, searched in space.items() if searched.log]
    table = search.trials_table(records, space)
    return trials(table, list(space), logarithmic, search_study.importance(records, space))


def write_best_parameters(
    search_records: Records,
    raw_data: str,
    data_folder: str,
    **parameters: Any,
) -> str:
    """Write the best trial's parameters down as an environment of Kedro's."""
    file = f"{data_folder}/{BEST_PARAMETERS}"
    return search.best_configuration(_read(search_records), parameters, raw_data, file)


def _read(search_records: Records) -> list[TrialRecord]:
    return [TrialRecord(**record) for record in search_records]


def _run_trial(
    study: "optuna.Study",
    trial: "optuna.Trial",
    values: dict[str, Any],
    groups: Groups,
    setup: ComparisonSetup,
    settings: Search,
    folder: Path,
) -> None:
    """Train a trial, and tell the study and MLflow the result of it."""
    architecture = with_values(groups, values)["network"]["architecture"]
    what, title = f"trial {trial.number}", search.format_values(values)
    again = trial.user_attrs.get("retry_of")
    note = "" if again is None else f"Repeats trial {again}, which was killed. "
    try:
        with tracking.child_run(f"{what}: {title}", architecture) as run_id:
            trial.set_user_attr("run_id", run_id)
            name, place = study.study_name, tracking.uri()
            arguments = (name, trial.number, values, groups, setup, settings, folder, place, run_id)
            train = partial(_train_in_own_process, *arguments)
            outcome = in_fresh_process(train, what.capitalize())
            if outcome.validation_dice is None:
                epochs = len(study.trials[trial.number].intermediate_values)
                state = f"pruned after epoch {epochs}"
            else:
                state = "complete"
            tracking.annotate_run(
                f"{what}: {title}" + (f" ({state})" if state != "complete" else ""),
                f"{note}{state.capitalize()}.",
                {"trial": str(trial.number), "trial_state": state.partition(" ")[0]},
            )
    except UserError as error:
        logger.warning("Trial %d failed: %s", trial.number, error)
        search_study.tell_failure(study, trial, str(error))
    else:
        search_study.tell_outcome(study, trial, outcome)
        logger.info(
            "Trial %d: %s",
            trial.number,
            state if outcome.validation_dice is None else f"Dice {outcome.validation_dice:.4f}",
        )
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _train_in_own_process(
    study_name: str,
    number: int,
    values: dict[str, Any],
    groups: Groups,
    setup: ComparisonSetup,
    settings: Search,
    folder: Path,
    tracking_uri: str,
    run_id: str | None,
) -> Outcome:
    """Train a trial, or continue it, and log to its run."""
    search_study.check_installed()
    start_keras()
    import optuna

    changed = with_values(groups, values)
    setup = replace(setup, augmentation=augmentation_of(changed["augmentation"]))
    candidate = search.candidate(str(number), changed)
    tracking.resume_run(tracking_uri, run_id)
    tracking.log_groups(changed)
    study = search_study.open_study(
        folder / STUDIES, study_name, settings, candidate.training.epochs
    )
    seconds = float("nan")
    if setup.minutes is not None:
        seconds = seconds_per_training_photo(candidate.network, candidate.training, setup)
    try:
        trained = train_candidate(
            candidate,
            setup,
            search_study.watch_epochs(folder / STUDIES, study, number, tracking.log_epoch),
            seconds,
            folder / CHECKPOINTS,
        )
    except optuna.TrialPruned:
        return Outcome()
    tracking.log_numbers(
        {
            "validation.dice_mean": trained.validation_dice,
            "threshold": trained.threshold,
            "cost.training_minutes": trained.minutes,
        }
    )
    return Outcome(trained.validation_dice, trained.minutes)
