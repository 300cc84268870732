"""The reporting pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.reporting.nodes import (
    analyse_other_photos,
    analyse_test_photos,
    draw_error_maps,
    draw_error_panels,
    draw_label_errors,
    draw_sheets,
    find_label_errors,
    measure_upper_bound,
    plot_dice_histogram,
    plot_learning_curves,
    predict_photos,
    record_predicted_masks,
    slice_scores,
    summarise_scores,
    tabulate_error_classes,
    tabulate_scores,
    track_scores,
    write_report,
)

PREDICTIONS = ["probabilities", "photo_splits", "threshold"]
RESULTS = ["photo_scores", *PREDICTIONS, "params:reporting"]


def create_pipeline() -> Pipeline:
    """Model → probabilities → scores and errors → numbers, charts, pictures → one page."""
    return Pipeline(
        [
            Node(
                func=predict_photos,
                inputs=[
                    "model",
                    "photos",
                    "photo_splits",
                    "params:reporting",
                    "params:prediction",
                    "probabilities_folder",
                ],
                outputs="probabilities",
                name="predict_photos",
            ),
            Node(
                func=analyse_test_photos,
                inputs=PREDICTIONS,
                outputs=[
                    "photo_scores",
                    "error_distances",
                    "error_regions",
                    "calibration",
                    "calibration_errors",
                    "mask_evidence",
                    "car_colours",
                ],
                name="analyse_test_photos",
            ),
            Node(
                func=analyse_other_photos,
                inputs=PREDICTIONS,
                outputs=["other_scores", "other_mask_evidence"],
                name="analyse_other_photos",
            ),
            Node(
                func=summarise_scores,
                inputs=["photo_scores", "params:seed"],
                outputs="score_summary",
                name="summarise_scores",
            ),
            Node(
                func=tabulate_scores,
                inputs=["photo_scores", "other_scores", "params:seed"],
                outputs="score_table",
                name="tabulate_scores",
            ),
            Node(
                func=measure_upper_bound,
                inputs=["soft_masks", "photo_splits"],
                outputs="upper_bound",
                name="measure_upper_bound",
            ),
            Node(
                func=slice_scores,
                inputs=["photo_scores", "photo_splits", "car_colours", "params:seed"],
                outputs="slices",
                name="slice_scores",
            ),
            Node(
                func=tabulate_error_classes,
                inputs=["error_regions", "photo_scores"],
                outputs="error_classes",
                name="tabulate_error_classes",
            ),
            Node(
                func=find_label_errors,
                inputs=["mask_evidence", "other_mask_evidence", "photo_splits", "photo_scores"],
                outputs="label_errors",
                name="find_label_errors",
            ),
            Node(
                func=track_scores,
                inputs=["score_summary", "threshold", "upper_bound"],
                outputs="tracked_scores",
                name="track_scores",
            ),
            Node(
                func=record_predicted_masks,
                inputs=PREDICTIONS,
                outputs="predicted_masks",
                name="record_predicted_masks",
            ),
            Node(
                func=plot_dice_histogram,
                inputs="photo_scores",
                outputs="dice_histogram",
                name="plot_dice_histogram",
                tags="pictures",
            ),
            Node(
                func=plot_learning_curves,
                inputs="history",
                outputs="learning_curves",
                name="plot_learning_curves",
                tags="pictures",
            ),
            Node(
                func=draw_error_maps,
                inputs=RESULTS,
                outputs="error_maps",
                name="draw_error_maps",
                tags="pictures",
            ),
            Node(
                func=draw_error_panels,
                inputs=RESULTS,
                outputs="error_panels",
                name="draw_error_panels",
                tags="pictures",
            ),
            Node(
                func=draw_sheets,
                inputs=[*RESULTS, "params:seed"],
                outputs=["worst_sheet", "random_sheet"],
                name="draw_sheets",
                tags="pictures",
            ),
            Node(
                func=draw_label_errors,
                inputs=["label_errors", *PREDICTIONS, "params:reporting"],
                outputs="label_error_sheet",
                name="draw_label_errors",
                tags="pictures",
            ),
            Node(
                func=write_report,
                inputs=[
                    "photo_scores",
                    "photo_splits",
                    "score_table",
                    "upper_bound",
                    "error_distances",
                    "error_classes",
                    "slices",
                    "error_panels",
                    "worst_sheet",
                    "random_sheet",
                    "threshold",
                    "threshold_dice",
                    "calibration",
                    "calibration_errors",
                    "label_errors",
                    "label_error_sheet",
                    "data_sheet",
                    "history",
                    "provenance",
                    "params:network",
                    "params:image",
                    "params:subject",
                ],
                outputs="report",
                name="write_report",
                tags="pictures",  # It has them in it.
            ),
        ],
        tags="reporting",
    )
