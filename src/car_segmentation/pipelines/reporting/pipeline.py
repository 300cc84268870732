"""The reporting pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.evaluation.error_analysis import Analysis
from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.reporting import nodes

PREDICTIONS = ["probabilities", "photo_splits", "threshold"]
RESULTS = ["photo_scores", *PREDICTIONS, "params:reporting"]


def create_pipeline() -> Pipeline:
    """Model → probabilities → scores and errors → numbers, charts, pictures → one page."""
    return Pipeline(
        [
            node(
                nodes.predict_photos,
                [
                    "model",
                    "photos",
                    "photo_splits",
                    "params:reporting",
                    "params:prediction",
                    "probabilities_folder",
                ],
                "probabilities",
            ),
            # Photo scores, error regions and more, each called like its field.
            node(nodes.analyse_test_photos, PREDICTIONS, list(Analysis._fields)),
            node(nodes.analyse_other_photos, PREDICTIONS, ["other_scores", "other_mask_evidence"]),
            node(nodes.summarise_scores, ["photo_scores", "params:seed"], "score_summary"),
            node(
                nodes.tabulate_scores,
                ["photo_scores", "other_scores", "params:seed"],
                "score_table",
            ),
            node(nodes.measure_upper_bound, ["soft_masks", "photo_splits"], "upper_bound"),
            node(
                nodes.slice_scores,
                ["photo_scores", "photo_splits", "car_colours", "params:seed"],
                "slices",
            ),
            node(nodes.tabulate_error_classes, ["error_regions", "photo_scores"], "error_classes"),
            node(
                nodes.find_label_errors,
                ["mask_evidence", "other_mask_evidence", "photo_splits", "photo_scores"],
                "label_errors",
            ),
            node(
                nodes.track_scores, ["score_summary", "threshold", "upper_bound"], "tracked_scores"
            ),
            node(nodes.record_predicted_masks, PREDICTIONS, "predicted_masks"),
            node(nodes.plot_dice_histogram, "photo_scores", "dice_histogram", tags="pictures"),
            node(nodes.plot_learning_curves, "history", "learning_curves", tags="pictures"),
            node(nodes.draw_error_maps, RESULTS, "error_maps", tags="pictures"),
            node(nodes.draw_error_panels, RESULTS, "error_panels", tags="pictures"),
            node(
                nodes.draw_sheets,
                [*RESULTS, "params:seed"],
                ["worst_sheet", "random_sheet"],
                tags="pictures",
            ),
            node(
                nodes.draw_label_errors,
                ["label_errors", *PREDICTIONS, "params:reporting"],
                "label_error_sheet",
                tags="pictures",
            ),
            node(
                nodes.write_report,
                [
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
                "report",
                tags="pictures",  # It has them in it.
            ),
        ],
        tags="reporting",
    )
