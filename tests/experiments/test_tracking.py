import logging
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from car_segmentation.core.errors import UserError
from car_segmentation.experiments import run_reading, tracking, tracking_server
from car_segmentation.prediction.run_lengths import decode_runs, encode_runs
from tests.support.photos import SIZE, disc_mask


@pytest.fixture
def run(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An active MLflow run in a database of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        yield run
    mlflow.set_tracking_uri(None)


def test_epochs_are_logged_as_steps(run) -> None:
    for epoch, loss in enumerate([0.5, 0.25]):
        tracking.log_epoch(epoch, {"loss": loss})
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.25)]


def test_an_epoch_that_is_there_is_not_logged_again(run) -> None:
    for epoch in (0, 1, 0, 1, 2):
        tracking.log_epoch(epoch, {"loss": 0.5, "dice": 0.9})
    for metric in ("loss", "dice"):
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, metric)
        assert [point.step for point in history] == [0, 1, 2]


def test_runs_whose_end_cannot_be_written_are_forgotten(run, tmp_path: Path) -> None:
    mlflow.start_run(run.info.run_id, nested=True)  # As kedro-mlflow enters it for each node.
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    store = mlflow.get_tracking_uri()
    tracking.abandon_runs("FAILED")
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == store


def test_a_locked_database_is_not_asked_again_for_each_run(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking_server, "END_SECONDS", 0.01)
    mlflow.start_run(run.info.run_id, nested=True)
    store, asked = mlflow.get_tracking_uri(), []
    end_run = mlflow.end_run

    def ask(status: str) -> None:
        asked.append(mlflow.get_tracking_uri())
        end_run(status)

    monkeypatch.setattr(mlflow, "end_run", ask)
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tracking.abandon_runs("FAILED")
    assert asked == [tracking_server.NO_RUNS] * 2
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == store


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_runs_that_are_abandoned_have_not_finished(run, status) -> None:
    tracking.abandon_runs(status)
    assert mlflow.get_run(run.info.run_id).info.status == status


def test_a_run_from_outside_is_not_abandoned(run) -> None:
    with mlflow.start_run(nested=True) as inner:
        tracking.abandon_runs("FAILED", run.info.run_id)
    assert tracking.run_id() == run.info.run_id
    assert mlflow.get_run(inner.info.run_id).info.status == "FAILED"


def test_which_runs_can_be_continued(run) -> None:
    parameters = {"seed": 42, "training.global_clipnorm": None, "network.filters": [4, 8]}
    mlflow.log_params(parameters)
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    assert tracking.run_id() == run_id
    assert tracking.can_be_resumed(run_id, parameters)
    assert not tracking.can_be_resumed(run_id, parameters | {"seed": 43})
    assert not tracking.can_be_resumed("0" * 32, parameters)
    client.set_terminated(run_id, "FINISHED")
    assert not tracking.can_be_resumed(run_id, parameters)
    client.set_terminated(run_id, "FAILED")
    assert tracking.can_be_resumed(run_id, parameters)
    client.delete_run(run_id)
    assert not tracking.can_be_resumed(run_id, parameters)
    client.restore_run(run_id)


def test_a_failing_server_costs_a_warning_not_the_training(run, monkeypatch, caplog) -> None:
    def fail(*args, **kwargs):
        raise MlflowException("connection refused\nand a long story")

    monkeypatch.setattr(mlflow, "log_metrics", fail)
    with caplog.at_level(logging.WARNING):
        tracking.log_epoch(0, {"loss": 1.0})
    assert "did not take epoch 1; training continues. (connection refused)" in caplog.text


def test_without_a_run_nothing_is_logged_nor_started() -> None:
    tracking.log_epoch(0, {"loss": 1.0})
    assert mlflow.active_run() is None


def test_the_photos_of_each_split_are_a_data_set(run) -> None:
    photos = pd.DataFrame(
        {
            "photo_id": ["a", "b", "c"],
            "car": ["x", "x", "y"],
            "view": ["01", "02", "01"],
            "height": 48,
            "width": 64,
            "foreground_share": 0.2,
            "split": ["train", "train", "test"],
        }
    )
    tracking.log_photos(photos, "/photos/studio")
    logged = mlflow.get_run(run.info.run_id)
    by_name = {entry.dataset.name: entry for entry in logged.inputs.dataset_inputs}
    assert set(by_name) == {"studio train", "studio test"}
    tags = {tag.key: tag.value for tag in by_name["studio train"].tags}
    assert tags == {"mlflow.data.context": "train", "photos": "2", "cars": "1"}
    assert "/photos/studio" in by_name["studio test"].dataset.source
    assert logged.data.tags["photos.train"] == "2 of 1 car"


SCORES = {"photo_id": ["NA", "01"], "car": ["c", "c"], "view": ["01", "02"], "dice": [0.9, 1.0]}
DISCS = {"NA.jpg": disc_mask(radius=8), "01.jpg": disc_mask(radius=12)}


def record_run(
    folder: Path, name: str, scored: bool = True, status: str = "FINISHED", masks: bool = True
) -> str:
    """Leave a finished run behind, as `kedro run` does, and return its id."""
    client = mlflow.MlflowClient()
    made = client.create_run("0", run_name=name)
    run_id = made.info.run_id
    folder.mkdir(exist_ok=True)
    pd.DataFrame(SCORES).to_csv(folder / "photo_scores.csv", index=False)
    pd.DataFrame(SCORES).to_csv(folder / "photo_splits.csv", index=False)
    runs = [(photo, encode_runs(mask)) for photo, mask in DISCS.items()]
    table = pd.DataFrame(runs, columns=["img", "rle_mask"])
    table.to_csv(folder / "predicted_masks.csv.gz", index=False)
    for artifact in folder.iterdir():
        if masks or "masks" not in artifact.name:
            client.log_artifact(run_id, str(artifact))
    client.log_param(run_id, "seed", 42)
    if scored:
        client.log_metric(run_id, "test.dice_mean", 0.95)
    client.set_terminated(run_id, status)
    return run_id


def ids(*given: str | None) -> list[str]:
    return [run.info.run_id for run in run_reading.compared_runs(*given)]


@pytest.fixture
def recorded(tmp_path: Path, run) -> list[str]:
    """Ids of runs that ended before the active one: the last two with scores are 1 and 3."""
    return [
        record_run(tmp_path / "artifacts", name, **how)
        for name, how in (
            ("first", {}),
            ("same name", {}),
            ("no scores", {"scored": False}),
            ("same name", {"masks": False}),
            ("killed", {"status": "KILLED"}),
        )
    ]


def test_the_last_two_runs_with_scores_are_compared(recorded: list[str]) -> None:
    assert ids(None, None) == [recorded[1], recorded[3]]


def test_a_comparison_is_not_one_of_them(recorded: list[str], run) -> None:
    before, after = map(run_reading.read_run, run_reading.compared_runs("first", recorded[1]))
    tracking.describe_comparison(before, after)
    mlflow.log_metric("comparison.dice_change", 0.1)
    mlflow.end_run()
    named = mlflow.get_run(run.info.run_id)
    assert named.info.run_name.startswith("comparison: first (")
    assert named.data.tags["before"] == recorded[0]
    with mlflow.start_run():
        assert ids(None, None) == [recorded[1], recorded[3]]


def test_nor_is_a_run_under_another_one(recorded: list[str], tmp_path: Path, run) -> None:
    nested = record_run(tmp_path / "artifacts", "nested")
    mlflow.MlflowClient().set_tag(nested, "mlflow.parentRunId", run.info.run_id)
    assert nested not in ids(None, None)


def test_runs_are_found_by_id_its_beginning_or_name(recorded: list[str]) -> None:
    assert ids("first", recorded[1]) == recorded[:2]
    assert ids(recorded[4][:12], "first") == [recorded[4], recorded[0]]
    assert ids(None, recorded[1]) == recorded[:2]  # The last one before it.
    assert ids(recorded[3], None) == [recorded[3], recorded[1]]


def test_a_name_of_two_runs_lists_them(recorded: list[str]) -> None:
    with pytest.raises(UserError, match="2 runs are called 'same name'; give an id") as error:
        ids("same name", None)
    assert recorded[1] in str(error.value) and recorded[3] in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("nobody", None), "nor that name"),
        (("first", "first"), "runs.before and runs.after are both .*first"),
        ((None, "first"), "3 finished runs with scores"),
    ],
)
def test_what_cannot_be_compared(recorded, given: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ids(*given)


def test_without_a_second_run_there_is_no_comparison(tmp_path: Path, run) -> None:
    record_run(tmp_path / "artifacts", "alone")
    with pytest.raises(UserError, match="has 1 finished runs with scores"):
        ids(None, None)


def test_without_mlflow_there_is_no_comparison() -> None:
    with pytest.raises(UserError, match="MLflow is switched off"):
        ids(None, None)


def test_what_a_run_recorded_is_read_back(recorded: list[str]) -> None:
    record = run_reading.read_run(mlflow.get_run(recorded[0]))
    assert (record.name, record.parameters) == ("first", {"seed": "42"})
    assert record.metrics == {"test.dice_mean": 0.95}
    assert record.photo_scores.to_dict("list") == SCORES  # NA and 01 are names.
    masks = run_reading.read_masks(recorded[0], ["NA.jpg"])
    assert list(masks) == ["NA.jpg"]
    assert np.array_equal(decode_runs(masks["NA.jpg"], *SIZE), DISCS["NA.jpg"])


def test_a_run_without_masks_is_named(recorded: list[str]) -> None:
    with pytest.raises(UserError, match=f"Run {recorded[3]} .* has no predicted_masks.csv.gz"):
        run_reading.read_run(mlflow.get_run(recorded[3]))


def test_results_of_another_process_are_in_a_run_under_the_active_one(run) -> None:
    with tracking.child_run("small", "segnet") as run_id:
        script = (
            "import pandas as pd; from car_segmentation.experiments import tracking\n"
            f"tracking.resume_run({tracking.uri()!r}, {run_id!r})\n"
            "tracking.log_epoch(0, {'loss': 0.5})\n"
            "tracking.log_result({'test.dice_mean': 0.9}, {'network': {'space_to_depth': 2}},\n"
            "                    pd.DataFrame({'photo_id': ['a'], 'dice': [0.9]}))\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
    child = mlflow.get_run(run_id)
    assert child.data.tags[run_reading.PARENT] == run.info.run_id
    assert child.data.tags["architecture"] == "segnet"
    assert (child.info.run_name, child.info.status) == ("small", "FINISHED")
    assert child.data.metrics == {"loss": 0.5, "test.dice_mean": 0.9}
    assert child.data.params == {"network.space_to_depth": "2"}
    assert mlflow.load_table("photo_scores.json", [run_id])["photo_id"].tolist() == ["a"]


def test_a_child_that_fails_is_marked_so(run) -> None:
    with pytest.raises(ZeroDivisionError), tracking.child_run("small", "segnet") as run_id:
        raise ZeroDivisionError
    assert mlflow.get_run(run_id).info.status == "FAILED"
    assert mlflow.active_run().info.run_id == run.info.run_id


def test_an_interrupted_comparison_is_taken_over(run) -> None:
    client, experiment = mlflow.MlflowClient(), run.info.experiment_id
    former = client.create_run(experiment).info.run_id
    finished, unfinished = (
        client.create_run(experiment, tags={run_reading.PARENT: former}).info.run_id for _ in "ab"
    )
    client.set_terminated(finished)
    tracking.reparent_run(finished)
    assert client.get_run(finished).data.tags[run_reading.PARENT] == run.info.run_id
    statuses = [client.get_run(which).info.status for which in (former, finished, unfinished)]
    assert statuses == ["KILLED", "FINISHED", "KILLED"]
    assert client.get_run(run.info.run_id).info.status == "RUNNING"


def test_a_deleted_run_is_not_taken_over(run, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        tracking.reparent_run("f" * 32)
    assert "does not know the run" in caplog.text


def test_a_comparison_says_who_won(run) -> None:
    table = pd.DataFrame({"name": ["b", "a"], "dice_mean": [0.98765, None], "parameters": [12, 3]})
    tracking.annotate_comparison("b is best.", table)
    concluded = mlflow.get_run(run.info.run_id)
    assert concluded.info.run_name == "2 networks compared: b is best"
    note = concluded.data.tags["mlflow.note.content"].splitlines()
    assert note[0] == "**b is best.**"
    assert note[2:] == ["| name | dice_mean | parameters |", "| --- | --- | --- |",
                        "| b | 0.9877 | 12 |", "| a | – | 3 |"]  # fmt: skip


def test_without_a_run_nothing_is_tracked() -> None:
    with tracking.child_run("small", "segnet") as run_id:
        assert run_id is None
    tracking.resume_run("sqlite:////nowhere.db", None)
    tracking.reparent_run(None)
    tracking.log_result({}, {}, pd.DataFrame())
    tracking.annotate_comparison("", pd.DataFrame({"name": []}))
    assert mlflow.active_run() is None
