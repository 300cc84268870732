"""The review pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.review.nodes import (
    fit_expected_dice,
    measure_new_photos,
    measure_validation_photos,
    rank_new_photos,
    write_review_page,
)


def create_pipeline() -> Pipeline:
    """Predictions, and validation photos to learn from → the order in which to look at them."""
    return Pipeline(
        [
            Node(
                func=measure_new_photos,
                inputs=[
                    "predictions",
                    "predictions_folder",
                    "model",
                    "threshold",
                    "params:prediction",
                    "params:pairing",
                    "params:review",
                    "params:photos",
                ],
                outputs="review_signals",
                name="measure_new_photos",
            ),
            Node(
                func=measure_validation_photos,
                inputs=[
                    "probabilities",
                    "photo_splits",
                    "model",
                    "threshold",
                    "other_scores",
                    "params:prediction",
                    "params:review",
                ],
                outputs="validation_signals",
                name="measure_validation_photos",
            ),
            Node(
                func=fit_expected_dice,
                inputs=["validation_signals", "review_signals"],
                outputs="review_model",
                name="fit_expected_dice",
            ),
            Node(
                func=rank_new_photos,
                inputs=["review_signals", "review_model"],
                outputs="review_queue",
                name="rank_new_photos",
            ),
            Node(
                func=write_review_page,
                inputs=[
                    "review_queue",
                    "review_model",
                    "predictions_folder",
                    "params:photos",
                ],
                outputs="review_page",
                name="write_review_page",
            ),
        ],
        tags="review",
    )
