"""The MLflow run of a Kedro run: resumed, named, described, compared."""

import logging
import os
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from car_segmentation.experiments import run_verdict, tracking
from car_segmentation.hooks import kedro_mlflow_state
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.parameters import flatten
from car_segmentation.training.checkpoints import unfinished
from car_segmentation.training.devices import process_number

logger = logging.getLogger(__name__)

UNLOGGED_PARAMETERS = ("cluster", "data_folder", "registry", "subject")
"""Parameters that no result depends on."""

CHECKPOINTS = "checkpoints"
"""The entry of the catalog with unfinished trainings."""


class MlflowRun:
    """Makes the run that kedro-mlflow starts readable in MLflow."""

    def __init__(self, session: Session):
        self._session = session
        self._photos_logged = False
        self._scored = False
        self._described: str | None = None
        self._run_params: dict[str, Any] = {}

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Name and tag the run that kedro-mlflow has started."""
        self._photos_logged, self._scored, self._described = False, False, None
        self._run_params = run_params
        # A comparison is named after what it compares, once that is known.
        if tracking.is_tracking() and "params:runs" not in pipeline.inputs():
            self._described = tracking.run_id()
            self._describe_run(run_params)

    @hook_impl(tryfirst=True)
    def after_node_run(self) -> None:
        """Describe the run that continues one whose server was lost."""
        if self._described and tracking.run_id() not in (None, self._described):
            self._described = tracking.run_id()
            self._describe_run(self._run_params)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Log the photos that a run works with, once."""
        if dataset_name == "photo_splits" and not self._photos_logged and tracking.is_tracking():
            self._photos_logged = True
            parameters = self._session.parameters
            tracking.log_photos(data, parameters.raw_data, parameters.subject)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Note whether the run has made the scores that it logs."""
        self._scored |= dataset_name == "photo_scores"

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Compare the run's scores with those of an earlier one."""
        if not tracking.is_tracking():
            return
        if "tracked_scores" in pipeline.all_outputs() and not self._scored:
            tracking.mark_scores_as_made_before()
        elif "score_summary" in pipeline.all_outputs():
            run_verdict.annotate_with_verdict(
                catalog.load("score_summary"),
                catalog.load("photo_scores"),
                self._session.parameters.seed,
            )

    def _describe_run(self, run_params: dict[str, Any]) -> None:
        """Make the run readable in MLflow: its name says what it is and what was changed."""
        parameters, environment = self._session.parameters, self._session.environment
        size = f"{parameters.image.width}×{parameters.image.height}"
        name = f"{parameters.network.architecture} {size} {environment}"
        pipelines = run_params.get("pipeline_names") or ["__default__"]
        if pipelines != ["__default__"]:
            name += f" ({' + '.join(pipelines)})"
        changed = flatten(self._session.given_parameters)
        changed.pop("raw_data", None)
        changes = ", ".join(f"{key}={value}" for key, value in changed.items())
        run_verdict.describe_experiment()
        tracking.describe_run(
            name=run_verdict.run_name(name, changed),
            note=f"Photos from `{parameters.raw_data}`, environment `{environment}`. "
            + (f"Changed for this run: `{changes}`." if changes else "Nothing changed for it."),
            tags={
                "architecture": parameters.network.architecture,
                "input_size": size,
                "environment": environment,
                run_verdict.CHANGED: changes or run_verdict.NOTHING,
                "raw_data": Path(parameters.raw_data).name,
                "keras_backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
            },
            parameters=self._logged_parameters(),
        )

    def _logged_parameters(self) -> dict[str, Any]:
        """Parameters that this run depends on, as written in conf/, like kedro-mlflow logs them.

        What made the data that it found is among it, for it would not run if that had changed.
        """
        return {
            name: value
            for name, value in flatten(self._session.written_parameters).items()
            if name in self._session.used_parameters
            and name.split(".")[0] not in UNLOGGED_PARAMETERS
        }


class ResumedRun:
    """Has the MLflow run of an interrupted training resumed together with the training."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Tell kedro-mlflow, before it starts a run."""
        if CHECKPOINTS not in pipeline.inputs() or not self._session.parameters.training.resume:
            return
        if process_number() > 0:  # Only the first is tracked.
            return
        for checkpoint in unfinished(catalog.load(CHECKPOINTS)):
            with user_errors_as_click():
                run_id = checkpoint.read_note().get("run_id")
            parameters = flatten(self._session.written_parameters)
            if run_id and tracking.can_be_resumed(run_id, parameters):
                logger.info("Resuming the MLflow run %s", run_id)
                kedro_mlflow_state.resume_run(run_id)
                return
