"""The run comparison pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.run_comparison import nodes


def create_pipeline() -> Pipeline:
    """Two MLflow runs → which photos changed → numbers, pictures and a page."""
    return Pipeline(
        [
            node(nodes.fetch_runs, "params:runs", ["run_before", "run_after"]),
            node(nodes.compare_photos, ["run_before", "run_after"], "run_comparison"),
            node(
                nodes.measure_difference,
                ["run_comparison", "params:seed", "params:subject"],
                "run_difference",
            ),
            node(nodes.track_difference, "run_difference", "tracked_difference"),
            node(
                nodes.draw_changes,
                ["run_before", "run_after", "run_comparison", "params:run_comparison"],
                "run_comparison_pictures",
            ),
            node(
                nodes.write_page,
                [
                    "run_before",
                    "run_after",
                    "run_comparison",
                    "run_difference",
                    "run_comparison_pictures",
                    "params:run_comparison",
                    "params:subject",
                ],
                "run_comparison_page",
                name="write_comparison_page",
            ),
        ],
        tags="run_comparison",
    )
