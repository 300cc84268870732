"""The run comparison pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.run_comparison.nodes import (
    compare_photos,
    draw_changes,
    fetch_runs,
    measure_difference,
    track_difference,
    write_page,
)


def create_pipeline() -> Pipeline:
    """Two MLflow runs → which photos changed → numbers, pictures and a page."""
    return Pipeline(
        [
            Node(
                func=fetch_runs,
                inputs="params:runs",
                outputs=["run_before", "run_after"],
                name="fetch_runs",
            ),
            Node(
                func=compare_photos,
                inputs=["run_before", "run_after"],
                outputs="run_comparison",
                name="compare_photos",
            ),
            Node(
                func=measure_difference,
                inputs=["run_comparison", "params:seed", "params:subject"],
                outputs="run_difference",
                name="measure_difference",
            ),
            Node(
                func=track_difference,
                inputs="run_difference",
                outputs="tracked_difference",
                name="track_difference",
            ),
            Node(
                func=draw_changes,
                inputs=["run_before", "run_after", "run_comparison", "params:run_comparison"],
                outputs="run_comparison_pictures",
                name="draw_changes",
            ),
            Node(
                func=write_page,
                inputs=[
                    "run_before",
                    "run_after",
                    "run_comparison",
                    "run_difference",
                    "run_comparison_pictures",
                    "params:run_comparison",
                    "params:subject",
                ],
                outputs="run_comparison_page",
                name="write_comparison_page",
            ),
        ],
        tags="run_comparison",
    )
