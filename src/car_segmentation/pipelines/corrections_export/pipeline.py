"""The pipeline that hands out masks to correct."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.corrections_export import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """Decisions of a review, or suspected label errors → tasks for a labelling tool."""
    return Pipeline(
        [
            node(
                nodes.choose_masks,
                [
                    "params:labelling",
                    "params:photos",
                    "predictions_folder",
                    "photo_splits",
                    "params:raw_data",
                    "params:photo_folder",
                ],
                "masks_to_correct",
            ),
            node(
                nodes.write_labelling_tasks,
                ["masks_to_correct", "params:labelling", "params:subject", "tasks_folder"],
                None,
            ),
        ],
        tags="corrections_export",
    )
