"""State that kedro-mlflow's hook keeps between Kedro's calls, and setters for it.

The only module that touches that state: kedro-mlflow has one hook object for all sessions of a
process, with the id of the run that it logs to and its settings. Neither is documented as an
interface, and ``tests/hooks/test_kedro_mlflow_state.py`` fails when either changes.
"""

from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook


def resume_run(run_id: str) -> None:
    """Have kedro-mlflow resume a run, in place of beginning one."""
    mlflow_hook.mlflow_config.tracking.run.id = run_id


def log_to(run_id: str | None) -> None:
    """Have kedro-mlflow log to another run, or to none."""
    mlflow_hook.run_id = run_id


def logged_to() -> str | None:
    """The run that kedro-mlflow logs to."""
    run_id: str | None = mlflow_hook.run_id
    return run_id
