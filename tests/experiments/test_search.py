import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.experiments.search import (
    Outcome,
    TrialRecord,
    best_configuration,
    best_of,
    check_networks,
    trials_table,
    verdict,
)
from car_segmentation.experiments.search_study import (
    TRIES,
    importance,
    number_done,
    open_study,
    records_of,
    requeue_interrupted_trials,
    tell_failure,
    tell_outcome,
    trials_to_train,
    values_of,
    watch_epochs,
)
from car_segmentation.parameters import Search, SearchRange, check_parameters
from tests.support.parameters import parameters
from tests.support.run_records import RECORDS

SETTINGS = Search(
    trials=6,
    minutes=None,
    pruner="median",
    startup_trials=1,
    warmup_epochs=2,
    space={
        "training.learning_rate": SearchRange(low=1e-4, high=1e-1, log=True),
        "training.batch_size": SearchRange(low=1, high=9, step=2),
        "training.ema_momentum": SearchRange(choices=(None, 0.99)),
        "network.filters": SearchRange(choices=([4, 8], [8, 16])),
    },
)
SPACE = SETTINGS.space


def dice_of(values: Mapping[str, Any]) -> float:
    """A validation Dice that is best at a learning rate of 0.01."""
    return 1 - 0.1 * abs(math.log10(values["training.learning_rate"]) + 2)


def search_in(file: Path, killed: Callable[[int], bool] = lambda _: False) -> list[TrialRecord]:
    """A search without training, killed and begun again before the trials that are to be."""
    begun = 0
    while True:
        study = open_study(file, "a", SETTINGS, epochs=3)
        requeue_interrupted_trials(study)
        for trial in trials_to_train(study, SETTINGS, seed=3):
            begun += 1
            if killed(begun):
                break
            tell_outcome(study, trial, Outcome(dice_of(values_of(trial, SPACE)), 0.5))
        else:
            return records_of(study, SPACE)


def test_values_stay_in_the_space_and_come_as_they_are_written(tmp_path: Path) -> None:
    records = search_in(tmp_path / "new" / "trials.db")
    assert [record.number for record in records] == list(range(6))
    for record in records:
        values = record.values
        assert set(values) == set(SPACE)
        assert 1e-4 <= values["training.learning_rate"] <= 1e-1
        assert values["training.batch_size"] in {1, 3, 5, 7, 9}
        assert values["training.ema_momentum"] in {None, 0.99}
        assert values["network.filters"] in ([4, 8], [8, 16])
        assert record.validation_dice == dice_of(values)
        assert (record.state, record.minutes) == ("complete", 0.5)
    assert len({record.values["training.learning_rate"] for record in records}) == 6


def test_a_killed_search_tries_the_same_values(tmp_path: Path) -> None:
    whole = search_in(tmp_path / "whole.db")
    torn = search_in(tmp_path / "torn.db", killed=lambda begun: begun in {1, 2, 5})
    assert [record.state for record in torn].count("killed") == 3
    counted = [record for record in torn if record.state != "killed"]
    assert [record.values for record in counted] == [record.values for record in whole]
    by_number = {record.number: record for record in torn}
    for record in torn:
        if record.retry_of is not None:
            assert record.values == by_number[record.retry_of].values
            assert by_number[record.retry_of].state == "killed"


def test_more_trials_go_on_with_a_search(tmp_path: Path) -> None:
    first = search_in(tmp_path / "trials.db")
    study = open_study(tmp_path / "trials.db", "a", SETTINGS, epochs=3)
    more = SETTINGS.model_copy(update={"trials": 7})
    (trial,) = trials_to_train_once(study, more)
    assert trial.number == len(first)
    other = open_study(tmp_path / "trials.db", "b", SETTINGS, epochs=3)
    assert number_done(other) == 0


def trials_to_train_once(study: optuna.Study, settings: Search) -> list[optuna.Trial]:
    trials = []
    for trial in trials_to_train(study, settings, seed=3):
        tell_outcome(study, trial, Outcome(0.5, 1.0))
        trials.append(trial)
    return trials


def test_what_is_killed_again_and_again_has_failed(tmp_path: Path) -> None:
    records = search_in(tmp_path / "trials.db", killed=lambda begun: begun <= TRIES)
    assert [record.state for record in records[:TRIES]] == ["killed"] * (TRIES - 1) + ["failed"]
    assert "memory" in (records[TRIES - 1].reason or "")
    assert sum(record.state != "killed" for record in records) == SETTINGS.trials


def test_a_trial_below_the_median_is_pruned_by_another_process_view_of_it(tmp_path: Path) -> None:
    file = tmp_path / "trials.db"
    open_study(
        file, "another", SETTINGS, epochs=3
    ).ask()  # So that no trial's id is its number + 1.
    study = open_study(file, "a", SETTINGS, epochs=3)
    outcomes, told = [(0.8, 0.9), (0.3, 0.4), (0.85, 0.95)], []
    for trial, dice in zip(trials_to_train(study, SETTINGS, seed=0), outcomes, strict=False):
        other = open_study(file, "a", SETTINGS, epochs=3)  # As the training process opens it.
        on_epoch_end = watch_epochs(file, other, trial.number, lambda *epoch: told.append(epoch))
        try:
            for epoch, value in enumerate(dice):
                on_epoch_end(epoch, {"val_dice": value})
        except optuna.TrialPruned:
            tell_outcome(study, trial, Outcome())
        else:
            tell_outcome(study, trial, Outcome(dice[-1] + 0.01, 1.0))
    records = records_of(study, SPACE)
    assert [record.state for record in records] == ["complete", "pruned", "complete"]
    # The first epoch is warm-up, though its Dice is the lowest of all.
    assert [record.epochs for record in records] == [2, 2, 2]
    assert [record.last_val_dice for record in records] == [0.9, 0.4, 0.95]
    assert [record.validation_dice for record in records] == [0.91, None, 0.96]
    assert len(told) == 6
    assert best_of(records).number == 2


def test_failures_are_told_with_their_reason(tmp_path: Path) -> None:
    study = open_study(tmp_path / "trials.db", "a", SETTINGS, epochs=3)
    for trial in trials_to_train(study, SETTINGS, seed=0):
        tell_failure(study, trial, f"Loss {trial.number} became nan.")
    records = records_of(study, SPACE)
    assert {record.state for record in records} == {"failed"}
    with pytest.raises(UserError, match=r"None of 6 trials was completed.\n.*0: Loss 0 became nan"):
        best_of(records)


RATE = {"training.learning_rate": SPACE["training.learning_rate"]}


def test_the_table_has_a_row_for_each_trial() -> None:
    table = trials_table(RECORDS, RATE)
    assert table["trial"].tolist() == [0, 1, 2]
    assert table["state"].tolist() == ["complete", "pruned", "complete"]
    assert table["training.learning_rate"].tolist() == [0.01234, 0.1, 0.02]
    assert table["validation_dice"].isna().tolist() == [False, True, False]
    assert table["retry_of"].tolist() == [pd.NA, pd.NA, 1]


def test_the_verdict_names_the_best() -> None:
    assert verdict(RECORDS) == (
        "Trial 2 is the best of 2 completed (1 pruned): validation Dice 0.9500 with "
        "learning_rate=0.02."
    )


def test_the_best_is_a_configuration_that_can_be_run() -> None:
    base = parameters()
    groups = {name: base[name] for name in ("seed", "split", "image", "network", "training")}
    values = {"training.learning_rate": 1e-5, "network.filters": (4, 8)}
    text = best_configuration(
        [TrialRecord(0, "complete", 0.9, 0.8, 2, 1.0, values)], groups, "photos", "best.yml"
    )
    assert "#   kedro run --env=best --params=raw_data=photos\n" in text
    assert "cp best.yml conf/best/parameters.yml" in text
    read = yaml.safe_load(text)
    assert set(read) == set(groups)
    checked = check_parameters(base | read)
    assert checked.training.learning_rate == 1e-5
    assert checked.network.model_dump() == base["network"] | {"filters": [4, 8]}


def test_importance_is_told_with_enough_trials_alone() -> None:
    space = {
        "training.momentum": SearchRange(low=0.0, high=0.9),
        "training.nesterov": SearchRange(choices=(False, True)),
    }
    records = [
        TrialRecord(
            *(number, "complete", 0.5 + 0.001 * (7 * number % 40), None, 1, 1.0),
            {
                "training.momentum": 0.9 * (7 * number % 40) / 40,
                "training.nesterov": bool(number % 2),
            },
        )
        for number in range(40)
    ]
    shares = importance(records[:20], space)
    assert shares["training.momentum"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert importance(records[:19], space) == {}
    assert importance(records, {"training.momentum": space["training.momentum"]}) == {}


def test_networks_are_checked_all_at_once() -> None:
    network = {"architecture": "segnet_unet", "space_to_depth": 1}
    check_networks({"network.space_to_depth": SearchRange(choices=(1, 2))}, network)
    wrong = {
        "network.space_to_depth": SearchRange(choices=(1, "two")),
        "network.colour": SearchRange(choices=("red",)),
        "network.architecture": SearchRange(choices=("segnet_unet", "segnet")),
        "training.loss": SearchRange(choices=("dice",)),
    }
    with pytest.raises(UserError) as error:
        check_networks(wrong, network)
    message = str(error.value)
    assert message.count("\n") == 3
    for part in (
        "network.space_to_depth = 'two'",
        "segnet_unet has no such option",
        "segnet has no such",
    ):
        assert part in message


@given(st.lists(st.integers(0, 9)) | st.none() | st.booleans() | st.text(max_size=5))
def test_any_choice_is_found_again(choice: Any) -> None:
    space = {"network.choice": SearchRange(choices=(choice, 1, True))}
    study = optuna.create_study()
    settings = SETTINGS.model_copy(update={"trials": 1, "space": space})
    for trial in trials_to_train(study, settings, seed=1):
        value = values_of(trial, space)["network.choice"]
        assert json.dumps(value) in {json.dumps(c) for c in (choice, 1, True)}
        tell_outcome(study, trial, Outcome(1.0, 1.0))
    assert len(study.trials) == 1
