"""The review pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.review import nodes


def create_pipeline() -> Pipeline:
    """Predictions, and validation photos to learn from → the order in which to look at them."""
    return Pipeline(
        [
            node(
                nodes.measure_new_photos,
                [
                    "predictions",
                    "predictions_folder",
                    "model",
                    "threshold",
                    "params:prediction",
                    "params:pairing",
                    "params:review",
                    "params:photos",
                ],
                "review_signals",
            ),
            node(
                nodes.measure_validation_photos,
                [
                    "probabilities",
                    "photo_splits",
                    "model",
                    "threshold",
                    "other_scores",
                    "params:prediction",
                    "params:review",
                ],
                "validation_signals",
            ),
            node(nodes.fit_expected_dice, ["validation_signals", "review_signals"], "review_model"),
            node(nodes.rank_new_photos, ["review_signals", "review_model"], "review_queue"),
            node(
                nodes.write_review_page,
                ["review_queue", "review_model", "predictions_folder", "params:photos"],
                "review_page",
            ),
        ],
        tags="review",
    )
