"""The pipeline that hands out masks to correct."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.corrections_export.nodes import choose_masks, write_labelling_tasks


def create_pipeline() -> Pipeline:
    """Decisions of a review, or suspected label errors → tasks for a labelling tool."""
    return Pipeline(
        [
            Node(
                func=choose_masks,
                inputs=[
                    "params:labelling",
                    "params:photos",
                    "predictions_folder",
                    "photo_splits",
                    "params:raw_data",
                    "params:photo_folder",
                ],
                outputs="masks_to_correct",
                name="choose_masks",
            ),
            Node(
                func=write_labelling_tasks,
                inputs=["masks_to_correct", "params:labelling", "params:subject", "tasks_folder"],
                outputs=None,
                name="write_labelling_tasks",
            ),
        ],
        tags="corrections_export",
    )
