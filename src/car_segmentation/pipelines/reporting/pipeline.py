"""The reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.reporting.nodes import (
    draw_error_maps,
    draw_gallery,
    plot_dice_histogram,
    plot_learning_curves,
    predict_test_photos,
    score_test_photos,
    summarise_scores,
    track_scores,
)

RESULTS = ["photo_scores", "probabilities", "photo_splits", "threshold", "params:reporting"]


def create_pipeline() -> Pipeline:
    """Model → probabilities → scores → numbers, charts and pictures."""
    return Pipeline(
        [
            Node(
                func=predict_test_photos,
                inputs=["model", "photos", "photo_splits", "params:reporting"],
                outputs="probabilities",
                name="predict_test_photos",
            ),
            Node(
                func=score_test_photos,
                inputs=["probabilities", "photo_splits", "threshold"],
                outputs="photo_scores",
                name="score_test_photos",
            ),
            Node(
                func=summarise_scores,
                inputs="photo_scores",
                outputs="score_summary",
                name="summarise_scores",
            ),
            Node(
                func=track_scores,
                inputs=["score_summary", "threshold"],
                outputs="tracked_scores",
                name="track_scores",
            ),
            Node(
                func=plot_dice_histogram,
                inputs="photo_scores",
                outputs="dice_histogram",
                name="plot_dice_histogram",
            ),
            Node(
                func=plot_learning_curves,
                inputs="history",
                outputs="learning_curves",
                name="plot_learning_curves",
            ),
            Node(
                func=draw_error_maps,
                inputs=RESULTS,
                outputs="error_maps",
                name="draw_error_maps",
            ),
            Node(func=draw_gallery, inputs=RESULTS, outputs="gallery", name="draw_gallery"),
        ],
        tags="reporting",
    )
