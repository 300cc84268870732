"""The pipeline that takes corrected masks back."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.corrections_import.nodes import take_corrected_masks


def create_pipeline() -> Pipeline:
    """Tasks, and what the tool exported → corrected masks, which data_processing takes."""
    return Pipeline(
        [
            Node(
                func=take_corrected_masks,
                inputs=[
                    "tasks_folder",
                    "params:labelling",
                    "params:annotation_format",
                    "params:raw_data",
                    "params:photo_folder",
                    "params:corrections",
                    "params:checks",
                ],
                outputs="correction_outcome",
                name="take_corrected_masks",
            ),
        ],
        tags="corrections_import",
    )
