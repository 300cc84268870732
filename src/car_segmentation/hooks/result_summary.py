"""The last lines of a run say what came out, and where to look at it."""

import json
import logging

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from car_segmentation.hooks.session import Session

logger = logging.getLogger(__name__)


class ResultSummary:
    """Logs the scores of a run and the paths of its results."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Say what runs."""
        logger.info("Running %s", node.short_name)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """Say what came out."""
        if "score_summary" in pipeline.all_outputs():
            self._log_summary()
        if "run_comparison_page" in pipeline.all_outputs():
            logger.info("Comparison: data/08_reporting/run_comparison.html")

    def _log_summary(self) -> None:
        report = self._session.project_path / "data" / "08_reporting"
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
            (report / "report.html").relative_to(self._session.project_path),
            (report / "error_maps").relative_to(self._session.project_path),
        )
