"""kedro-mlflow's state, as the project sets it: these fail when kedro-mlflow changes."""

from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook, mlflow_hook

from car_segmentation.hooks import kedro_mlflow_state


def test_a_new_hook_logs_to_no_run() -> None:
    assert MlflowHook().run_id is None


def test_the_run_that_is_logged_to_can_be_changed(monkeypatch) -> None:
    monkeypatch.setattr(mlflow_hook, "run_id", "first")
    assert kedro_mlflow_state.logged_to() == "first"
    kedro_mlflow_state.log_to("second")
    assert mlflow_hook.run_id == "second"


def test_a_run_to_resume_is_a_setting(monkeypatch) -> None:
    monkeypatch.setattr(mlflow_hook, "mlflow_config", KedroMlflowConfig(), raising=False)
    kedro_mlflow_state.resume_run("abc")
    assert mlflow_hook.mlflow_config.tracking.run.id == "abc"
