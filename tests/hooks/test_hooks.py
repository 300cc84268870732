from unittest.mock import Mock

import pytest
from click import ClickException
from filelock import FileLock, Timeout
from kedro.io import MemoryDataset
from kedro.pipeline import Node, Pipeline

from car_segmentation.core.errors import UserError
from car_segmentation.hooks.data_lock import DataLock
from car_segmentation.hooks.joint_training import JointTraining
from car_segmentation.hooks.session import Session
from car_segmentation.hooks.user_errors import UserErrors
from car_segmentation.training.devices import PROCESS, PROCESSES


def test_a_users_mistake_becomes_its_one_message_however_deep() -> None:
    try:
        try:
            raise UserError("mend this")
        except UserError as mistake:
            raise RuntimeError("wrapped") from mistake
    except RuntimeError as error:
        wrapped = error
    with pytest.raises(ClickException, match="mend this"):
        UserErrors().on_pipeline_error(error=wrapped)


def test_a_defect_keeps_its_traceback() -> None:
    UserErrors().on_pipeline_error(error=RuntimeError("a defect"))


def pipeline_of(tag: str) -> Pipeline:
    return Pipeline([Node(lambda before: before, "before", "after", name="work", tags=tag)])


@pytest.mark.parametrize(("number", "keeps"), [("0", False), ("1", True)])
def test_processes_but_the_first_keep_what_they_make(monkeypatch, number: str, keeps: bool) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setenv(PROCESS, number)
    catalog = {"before": "a file", "after": "a file", "checkpoints": "a folder"}
    hook = JointTraining()
    hook.before_pipeline_run(pipeline_of("modelling"), catalog)
    assert catalog["before"] == "a file"
    assert isinstance(catalog["after"], MemoryDataset) is keeps
    if keeps:
        assert catalog["checkpoints"].load().is_dir()
    else:
        assert catalog["checkpoints"] == "a folder"


def test_several_processes_only_train(monkeypatch) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    with pytest.raises(ClickException, match=r"do nothing else \(work\)"):
        JointTraining().before_pipeline_run(pipeline_of("reporting"), {})


class TestTheData:
    """Of a project, in which one run at a time may write."""

    @staticmethod
    def begin(hook: DataLock, *outputs: str) -> None:
        hook.before_pipeline_run(Mock(**{"all_outputs.return_value": set(outputs)}))

    @pytest.fixture
    def hook(self, tmp_path) -> DataLock:
        return DataLock(Session(data_folder=tmp_path / "data"))

    def test_a_run_locks_it_until_it_fails(self, hook, tmp_path) -> None:
        self.begin(hook, "model", "history")
        locked = FileLock(tmp_path / "data" / ".in_use")
        with pytest.raises(Timeout):
            locked.acquire(timeout=0)
        hook.on_pipeline_error()
        locked.acquire(timeout=0)
        locked.release()

    def test_a_second_run_is_refused_in_a_sentence(self, hook, tmp_path) -> None:
        (tmp_path / "data").mkdir()
        with (
            FileLock(tmp_path / "data" / ".in_use"),
            pytest.raises(ClickException, match="Wait for its end"),
        ):
            self.begin(hook, "photo_splits")

    def test_new_photos_may_be_predicted_beside(self, hook, tmp_path) -> None:
        self.begin(hook, "predictions")
        assert not (tmp_path / "data").exists()

    def test_it_is_the_first_process_that_locks_it(self, hook, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv(PROCESSES, "2")
        monkeypatch.setenv(PROCESS, "1")
        self.begin(hook, "model")
        assert not (tmp_path / "data").exists()
