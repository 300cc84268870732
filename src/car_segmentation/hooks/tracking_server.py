"""The MLflow server that runs are tracked by is looked for before a run, and while it goes on."""

import logging
import os

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging

from car_segmentation.experiments import tracking
from car_segmentation.hooks.session import Session

logger = logging.getLogger(__name__)


class TrackingServer:
    """Has a run go on when its MLflow server is unreachable: no work is lost for that."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        """Track in the project's own database if the server is unreachable."""
        tracking.fail_fast()
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not tracking.is_reachable(uri):
            del os.environ["MLFLOW_TRACKING_URI"]
            logger.warning(
                "The MLflow server at %s does not answer: this run is tracked in %s instead. "
                "Start the server, or unset MLFLOW_TRACKING_URI.",
                uri,
                tracking.tracking_uri(self._session.project_path),
            )

    @hook_impl(tryfirst=True)
    def before_node_run(self, catalog: CatalogProtocol) -> None:
        """Look whether the server is still there."""
        self._drop_unreachable_server(catalog)

    @hook_impl(tryfirst=True)
    def after_node_run(self, catalog: CatalogProtocol) -> None:
        """As `before_node_run`: a long node may outlive the server."""
        self._drop_unreachable_server(catalog)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, catalog: CatalogProtocol) -> None:
        """As `before_node_run`."""
        self._drop_unreachable_server(catalog)

    def _drop_unreachable_server(self, catalog: CatalogProtocol) -> None:
        """Switch kedro-mlflow off for the rest of the run once its server stops answering."""
        if not mlflow_hook._is_mlflow_enabled or not tracking.drop_run_if_unreachable():
            return
        mlflow_hook._is_mlflow_enabled = False
        mlflow_hook.run_id = None
        switch_catalog_logging(catalog, False)
