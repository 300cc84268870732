"""What kedro-mlflow's hook keeps between Kedro's calls, and how the project sets it.

The only module that touches that state. kedro-mlflow has one hook object for the whole process.
"""

from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook


def resume_run(run_id: str) -> None:
    """Have kedro-mlflow resume a run, in place of beginning one."""
    mlflow_hook.mlflow_config.tracking.run.id = run_id
