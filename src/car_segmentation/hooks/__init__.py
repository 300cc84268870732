"""What happens around a run: parameters checked first, MLflow kept readable, errors kept short."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click import ClickException
from filelock import FileLock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook
from kedro_mlflow.framework.hooks.utils import _flatten_dict
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging

from car_segmentation.core.console import quiet_start
from car_segmentation.core.dask_cluster import Cluster, use_cluster
from car_segmentation.core.errors import UserError
from car_segmentation.core.files import claim
from car_segmentation.experiments import run_verdict as experiments
from car_segmentation.experiments import tracking
from car_segmentation.parameters import ProjectParameters, check_parameters
from car_segmentation.training.checkpoints import unfinished
from car_segmentation.training.devices import join_processes, process_count, process_number

logger = logging.getLogger(__name__)

UNTOLD_PARAMETERS = (
    *("cluster", "demo_photos", "export", "inference", "model", "network_comparison", "photos"),
    *("predictions", "registry", "runs", "run_comparison", "search", "subject"),
)
"""Parameters that no model depends on."""

SHARED_BY_RUNS = {"photo_table", "photo_splits", "model", "probabilities"}
"""What later steps take from earlier ones: two runs must not write it at the same time."""

CHECKPOINTS = "checkpoints"
"""The entry of the catalog with unfinished trainings."""


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """Turn an error that the user can mend into its one message, before any node runs."""
    try:
        yield
    except UserError as error:
        raise ClickException(str(error)) from None


class ProjectHooks:
    """Hooks of the project; Kedro makes one for each session."""

    parameters: ProjectParameters
    written_parameters: dict[str, Any]
    changed_parameters: dict[str, Any]
    environment: str
    project_path: Path
    photos_logged = False
    scratch: TemporaryDirectory[str]
    claim: FileLock | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check the parameters and the tracking server before anything else looks at them."""
        self.environment = context.env or "base"
        self.project_path = Path(context.project_path)
        self.written_parameters = context.params
        self.changed_parameters = context._runtime_params or {}
        with _told_in_a_sentence():
            self.parameters = check_parameters(context.params)
        self._choose_workers()
        tracking.fail_fast()
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not tracking.answers(uri):
            del os.environ["MLFLOW_TRACKING_URI"]
            logger.warning(
                "The MLflow server at %s does not answer: this run is tracked in %s instead. "
                "Start the server, or unset MLFLOW_TRACKING_URI.",
                uri,
                tracking.tracking_uri(self.project_path),
            )

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> Iterator[None]:
        """Check the network's options, and name and tag the MLflow run."""
        if process_count() > 1:
            self._prepare_processes(pipeline, catalog)
        self._claim_data(pipeline)
        self._continue_run(pipeline, catalog)
        yield  # kedro-mlflow starts the run.
        self.photos_logged = False
        if {"network", "model", "chosen_model"} & pipeline.datasets():
            self._prepare_keras(pipeline)
        # A comparison is named after what it compares, once that is known.
        if tracking.is_tracking() and "params:runs" not in pipeline.inputs():
            self._describe_run(run_params)

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Say what runs; go on without MLflow when its server is gone, for no work is lost so."""
        logger.info("Running %s", node.short_name)
        self._leave_a_server_that_is_away(catalog)

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """As `before_node_run`: a long node may outlive the server."""
        self._leave_a_server_that_is_away(catalog)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Log the photos that a run works with, once."""
        if dataset_name == "photo_splits" and not self.photos_logged and tracking.is_tracking():
            self.photos_logged = True
            tracking.log_photos(data, self.parameters.raw_data, self.parameters.subject)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Say what came out, and where to look at it."""
        self._release_data()
        self._leave_a_server_that_is_away(catalog)
        if "score_summary" in pipeline.all_outputs():
            self._say_what_came_out()
            if tracking.is_tracking():
                experiments.conclude_run(
                    catalog.load("score_summary"),
                    catalog.load("photo_scores"),
                    self.parameters.seed,
                )
        if "run_comparison_page" in pipeline.all_outputs():
            logger.info("Comparison: data/08_reporting/run_comparison.html")

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Turn an error that the user can mend into its one message."""
        self._release_data()
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserError):
                raise ClickException(str(cause)) from None
            cause = cause.__cause__

    def _prepare_processes(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Have processes but the first keep to themselves what they make, and track nothing."""
        others = [node.short_name for node in pipeline.nodes if "modelling" not in node.tags]
        if others:
            raise ClickException(
                f"Several processes train together, and do nothing else ({', '.join(others)}). Run "
                "data_processing before, --pipelines=modelling in each of them, and reporting "
                "after, in one process each."
            )
        if process_number() > 0:
            for name in pipeline.all_outputs():
                catalog[name] = MemoryDataset(copy_mode="assign")
            self.scratch = TemporaryDirectory()
            catalog[CHECKPOINTS] = MemoryDataset(Path(self.scratch.name), copy_mode="assign")

    def _choose_workers(self) -> None:
        """Say where photos are worked on: on this machine, or on a cluster."""
        if self.parameters.cluster is None:
            use_cluster(None)
            return
        folders = (self.parameters.raw_data, self.parameters.photos, "data")
        shared = (self.project_path / folder for folder in folders)
        use_cluster(Cluster(self.parameters.cluster, tuple(filter(Path.exists, shared))))

    def _claim_data(self, pipeline: Pipeline) -> None:
        # Processes that train together are one run, and only the first writes.
        if process_number() == 0 and SHARED_BY_RUNS & pipeline.all_outputs():
            with _told_in_a_sentence():
                self.claim = claim(self.project_path / "data")

    def _release_data(self) -> None:
        if self.claim is not None:
            self.claim.release()
            self.claim = None

    def _continue_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Have kedro-mlflow go on with the run of the training that is about to be continued."""
        if CHECKPOINTS not in pipeline.inputs() or not self.parameters.training.resume:
            return
        if process_number() > 0:  # Only the first is tracked.
            return
        for checkpoint in unfinished(catalog.load(CHECKPOINTS)):
            run_id = checkpoint.read_note().get("run_id")
            if run_id and tracking.can_be_continued(run_id, self._told_parameters()):
                logger.info("Continuing the MLflow run %s", run_id)
                mlflow_hook.mlflow_config.tracking.run.id = run_id
                return

    def _prepare_keras(self, pipeline: Pipeline) -> None:
        """Import Keras without its chatter, and check the network's options before any work."""
        if process_count() > 1:
            logger.info("Process %d of %d waits for the others", process_number(), process_count())
        with quiet_start():
            import keras

            from car_segmentation.networks import check_options

            with _told_in_a_sentence():
                join_processes()
            keras.ops.zeros(())  # The first operation looks for GPUs.
        if "params:network" not in pipeline.inputs():
            return
        network = self.parameters.network
        with _told_in_a_sentence():
            check_options(network.architecture, network.options)

    def _describe_run(self, run_params: dict[str, Any]) -> None:
        """Make the run readable in MLflow: its name says what it is and what was changed."""
        parameters = self.parameters
        size = f"{parameters.image.width}×{parameters.image.height}"
        name = f"{parameters.network.architecture} {size} {self.environment}"
        pipelines = run_params.get("pipeline_names") or ["__default__"]
        if pipelines != ["__default__"]:
            name += f" ({' + '.join(pipelines)})"
        changed = _flatten_dict(self.changed_parameters)
        changed.pop("raw_data", None)
        changes = ", ".join(f"{key}={value}" for key, value in changed.items())
        experiments.describe_experiment()
        tracking.describe_run(
            name=experiments.run_name(name, changed),
            note=f"Photos from `{parameters.raw_data}`, environment `{self.environment}`. "
            + (f"Changed for this run: `{changes}`." if changes else "Nothing changed for it."),
            tags={
                "architecture": parameters.network.architecture,
                "input_size": size,
                "environment": self.environment,
                experiments.CHANGED: changes or experiments.NOTHING,
                "raw_data": Path(parameters.raw_data).name,
                "keras_backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
            },
            parameters=self._told_parameters(),
        )

    def _told_parameters(self) -> dict[str, Any]:
        """What MLflow is told, as written in conf/: so does kedro-mlflow log what nodes take."""
        return {
            key: value
            for key, value in _flatten_dict(self.written_parameters).items()
            if key.split(".")[0] not in UNTOLD_PARAMETERS
        }

    def _leave_a_server_that_is_away(self, catalog: CatalogProtocol) -> None:
        """Switch kedro-mlflow off for the rest of the run once its server stops answering."""
        if not mlflow_hook._is_mlflow_enabled or not tracking.leave_if_away():
            return
        mlflow_hook._is_mlflow_enabled = False
        mlflow_hook.run_id = None
        switch_catalog_logging(catalog, False)

    def _say_what_came_out(self) -> None:
        report = self.project_path / "data" / "08_reporting"
        summary = json.loads((report / "score_summary.json").read_text())
        logger.info(
            "Test Dice %.4f (median %.4f, worst %.4f), edge error %.1f px, %d photos at native "
            "size.\nReport:      %s\nError maps:  %s\nGraph:       make viz\n"
            "Experiments: make mlflow",
            summary["dice_mean"],
            summary["dice_median"],
            summary["dice_worst"],
            summary["edge_error_px"],
            summary["photos"],
            (report / "report.html").relative_to(self.project_path),
            (report / "error_maps").relative_to(self.project_path),
        )
