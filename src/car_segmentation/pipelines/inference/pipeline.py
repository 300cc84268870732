"""The inference pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.inference import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """New photos → masks at native size, and a table of them."""
    return Pipeline(
        [
            node(
                nodes.find_new_photos,
                ["new_photo_files", "params:photos", "params:predictions"],
                "new_photos",
            ),
            node(
                nodes.predict_new_photos,
                [
                    "chosen_model",
                    "chosen_threshold",
                    "new_photos",
                    "params:checks",
                    "params:prediction",
                    "params:inference",
                    "params:pairing",
                    "predictions_folder",
                ],
                "predictions",
            ),
        ],
        tags="inference",
    )
