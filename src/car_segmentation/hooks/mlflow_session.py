"""Each Kedro session of a process is an MLflow run of its own, with an end of its own."""

import mlflow
from kedro.framework.hooks import hook_impl

from car_segmentation.experiments import tracking
from car_segmentation.hooks import kedro_mlflow_state


class MlflowSession:
    """Ends what kedro-mlflow leaves: it enters a run once for each node, and leaves it once."""

    def __init__(self) -> None:
        self._run_id: str | None = None
        self._outer_run: str | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        """Begin without the run of an earlier session, which an interrupt may have left."""
        self._end("KILLED")
        self._outer_run = tracking.run_id()

    @hook_impl
    def before_node_run(self) -> None:
        """Note which run kedro-mlflow logs to; one from outside the session is not to be ended."""
        run_id = kedro_mlflow_state.logged_to()
        self._run_id = None if run_id == self._outer_run else run_id

    @hook_impl
    def after_pipeline_run(self) -> None:
        """End the run, after kedro-mlflow has done so once."""
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the run as failed."""
        self._end("FAILED")

    def _end(self, status: str) -> None:
        while self._run_id is not None and tracking.run_id() == self._run_id:
            mlflow.end_run(status)
        self._run_id = None
        kedro_mlflow_state.log_to(None)
