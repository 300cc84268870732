"""The pipeline that takes corrected masks back."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.corrections_import import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """Tasks, and what the tool exported → corrected masks, which data_processing takes."""
    return Pipeline(
        [
            node(
                nodes.take_corrected_masks,
                [
                    "tasks_folder",
                    "params:labelling",
                    "params:annotation_format",
                    "params:raw_data",
                    "params:photo_folder",
                    "params:corrections",
                    "params:checks",
                ],
                "correction_outcome",
            ),
        ],
        tags="corrections_import",
    )
