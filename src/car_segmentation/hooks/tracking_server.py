"""A run continues when its MLflow server is lost."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from car_segmentation.experiments import tracking, tracking_server
from car_segmentation.experiments.artifact_paths import relocate
from car_segmentation.hooks import kedro_mlflow_state
from car_segmentation.hooks.session import user_errors_as_click

logger = logging.getLogger(__name__)


class TrackingServer:
    """Checks the server before a run, and during it."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Track in the project's own database if the server takes no runs."""
        tracking_server.fail_fast()
        root = Path(context.project_path)
        config = context.config_loader["mlflow"]
        server, experiment = config["server"], config["tracking"]["experiment"]
        credentials = server.get("credentials")
        if credentials:  # As kedro-mlflow does later, and the server is asked for it now.
            os.environ.update(context.config_loader["credentials"].get(credentials, {}))
        tracking_server.fall_back_to(tracking_server.LocalStore(root, experiment["name"]))
        with user_errors_as_click():
            moved = relocate(root)
        if moved:
            logger.info("This project was moved: MLflow now looks for its artifacts in %s", root)
        with user_errors_as_click():
            problem = tracking_server.server_problem(server["mlflow_tracking_uri"], create=True)
        if problem is None:
            return
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        local = tracking_server.tracking_uri(root)
        with user_errors_as_click():
            tracking_server.check_own_database(local, create=True)
        server["mlflow_tracking_uri"] = local
        experiment["create_experiment_kwargs"] = {
            "artifact_location": tracking_server.artifact_location(root)
        }
        context.config_loader["mlflow"] = config
        logger.warning("%s This run is tracked in %s instead.", problem, local)
        logger.warning(tracking_server.UPLOAD, "RUN")

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Have kedro-mlflow continue in the run that replaces the one on a lost server."""
        if kedro_mlflow_state.logged_to() is not None and tracking.has_reachable_run():
            kedro_mlflow_state.log_to(tracking.run_id())

    # A long node may outlive the server, and what is saved may be logged.
    after_node_run = before_dataset_saved = after_pipeline_run = before_node_run

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Iterator[None]:
        """Have kedro-mlflow end the run without a database that is locked."""
        with tracking_server.forgetting_what_cannot_be_noted():
            return (yield)
