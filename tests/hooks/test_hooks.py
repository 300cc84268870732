import logging
from unittest.mock import Mock

import mlflow
import pytest
from click import ClickException
from kedro.io import MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

from car_segmentation.core.errors import UserError
from car_segmentation.experiments import tracking
from car_segmentation.hooks import ProjectHooks
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
        ProjectHooks().on_pipeline_error(error=wrapped)


def test_a_defect_keeps_its_traceback() -> None:
    ProjectHooks().on_pipeline_error(error=RuntimeError("a defect"))


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    """A run that kedro-mlflow tracks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mlflow_hook, "_is_mlflow_enabled", True)
    monkeypatch.setattr(mlflow_hook, "run_id", "run")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.start_run()
    yield
    mlflow.end_run()
    mlflow.set_tracking_uri(None)


def test_a_server_that_goes_away_costs_one_warning(tracked, monkeypatch, caplog) -> None:
    monkeypatch.setattr(tracking, "answers", lambda uri: False)
    catalog = {"a": Mock(spec=["_logging_activated"], _logging_activated=True)}
    hooks = ProjectHooks()
    with caplog.at_level(logging.WARNING):
        for name in ("first", "second"):
            hooks.before_node_run(node=Mock(short_name=name), catalog=catalog)
    assert caplog.text.count("has stopped answering: the run goes on without it") == 1
    assert not tracking.is_tracking()
    assert not mlflow_hook._is_mlflow_enabled
    assert mlflow_hook.run_id is None


def test_a_server_that_answers_is_kept(tracked, monkeypatch) -> None:
    monkeypatch.setattr(tracking, "answers", lambda uri: True)
    ProjectHooks().before_node_run(node=Mock(short_name="first"), catalog={})
    assert tracking.is_tracking()


def pipeline_of(tag: str) -> Pipeline:
    return Pipeline([Node(lambda before: before, "before", "after", name="work", tags=tag)])


@pytest.mark.parametrize(("number", "keeps"), [("0", False), ("1", True)])
def test_processes_but_the_first_keep_what_they_make(monkeypatch, number: str, keeps: bool) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    monkeypatch.setenv(PROCESS, number)
    catalog = {"before": "a file", "after": "a file", "checkpoints": "a folder"}
    hooks = ProjectHooks()
    hooks._prepare_processes(pipeline_of("modelling"), catalog)
    assert catalog["before"] == "a file"
    assert isinstance(catalog["after"], MemoryDataset) is keeps
    if keeps:
        assert catalog["checkpoints"].load().is_dir()
    else:
        assert catalog["checkpoints"] == "a folder"


def test_several_processes_only_train(monkeypatch) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    with pytest.raises(ClickException, match=r"do nothing else \(work\)"):
        ProjectHooks()._prepare_processes(pipeline_of("reporting"), {})


class TestTheData:
    """Of a project, in which one run at a time may write."""

    @staticmethod
    def begin(hooks: ProjectHooks, *outputs: str) -> None:
        pipeline = Mock(**{"all_outputs.return_value": set(outputs)})
        hooks._claim_data(pipeline)

    @pytest.fixture
    def hooks(self, tmp_path) -> ProjectHooks:
        hooks = ProjectHooks()
        hooks.project_path = tmp_path
        return hooks

    def test_a_run_claims_it_until_it_fails(self, hooks, tmp_path, monkeypatch) -> None:
        claimed = Mock()
        monkeypatch.setattr("car_segmentation.hooks.claim", claimed)
        self.begin(hooks, "model", "history")
        claimed.assert_called_once_with(tmp_path / "data")
        hooks.on_pipeline_error(error=RuntimeError("a defect"))
        claimed.return_value.release.assert_called_once_with()

    def test_a_second_run_is_refused_in_a_sentence(self, hooks, monkeypatch) -> None:
        refuse = Mock(side_effect=UserError("wait for its end"))
        monkeypatch.setattr("car_segmentation.hooks.claim", refuse)
        with pytest.raises(ClickException, match="wait for its end"):
            self.begin(hooks, "photo_splits")

    def test_new_photos_may_be_predicted_beside(self, hooks, monkeypatch) -> None:
        monkeypatch.setattr("car_segmentation.hooks.claim", Mock(side_effect=AssertionError))
        self.begin(hooks, "predictions")

    def test_it_is_the_first_process_that_claims_it(self, hooks, monkeypatch) -> None:
        monkeypatch.setenv(PROCESSES, "2")
        monkeypatch.setenv(PROCESS, "1")
        monkeypatch.setattr("car_segmentation.hooks.claim", Mock(side_effect=AssertionError))
        self.begin(hooks, "model")
