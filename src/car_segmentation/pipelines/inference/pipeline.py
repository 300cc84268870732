"""The inference pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.inference.nodes import find_new_photos, predict_new_photos


def create_pipeline() -> Pipeline:
    """New photos → masks at native size, and a table of them."""
    return Pipeline(
        [
            Node(
                func=find_new_photos,
                inputs=["new_photo_files", "params:photos", "params:predictions"],
                outputs="new_photos",
                name="find_new_photos",
            ),
            Node(
                func=predict_new_photos,
                inputs=[
                    "chosen_model",
                    "chosen_threshold",
                    "new_photos",
                    "params:checks",
                    "params:prediction",
                    "params:inference",
                    "params:pairing",
                    "predictions_folder",
                ],
                outputs="predictions",
                name="predict_new_photos",
            ),
        ],
        tags="inference",
    )
