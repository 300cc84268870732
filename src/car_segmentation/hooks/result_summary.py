"""The last lines of a run: its scores, and where the results are."""

import logging
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from car_segmentation.hooks.session import Session

logger = logging.getLogger(__name__)

REPORTING = "08_reporting"


class ResultSummary:
    """Logs the scores of a run and the paths of its results."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Say what runs."""
        logger.info("Running %s", node.short_name)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Say what came out."""
        if "score_summary" in pipeline.all_outputs():
            self._log_summary(catalog.load("score_summary"))
        if "run_comparison_page" in pipeline.all_outputs():
            logger.info("Comparison: %s/run_comparison.html", self._report)
        if "review_page" in pipeline.all_outputs():
            logger.info("Review: %s/review.html", self._session.parameters.predictions)
        if "correction_outcome" in pipeline.all_outputs():
            logger.info("Outcome: %s/outcome.csv", self._session.parameters.tasks)

    @property
    def _report(self) -> str:
        """The folder of the report, as the user names it."""
        return f"{self._session.parameters.data_folder}/{REPORTING}"

    def _log_summary(self, summary: dict[str, Any]) -> None:
        logger.info(
            "Test Dice %.4f (median %.4f, worst %.4f), edge error %.1f px, %d photos at native "
            "size.\nReport:      %s/report.html\nError maps:  %s/error_maps\n"
            "Graph:       make viz\nExperiments: make mlflow",
            summary["dice_mean"],
            summary["dice_median"],
            summary["dice_worst"],
            summary["edge_error_px"],
            summary["photos"],
            self._report,
            self._report,
        )
