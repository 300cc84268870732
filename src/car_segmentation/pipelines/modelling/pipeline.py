"""The modelling pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.data_processing.pipeline import TRY_AUGMENTATION
from car_segmentation.pipelines.modelling import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """Network → training → model, history and threshold."""
    return Pipeline(
        [
            node(
                nodes.build_network,
                ["params:network", "params:image", "params:training", "params:seed", "start_model"],
                "network",
            ),
            node(
                nodes.train_network,
                [
                    "network",
                    "photos",
                    "soft_masks",
                    "photo_splits",
                    "augmentation",
                    "params:training",
                    "params:seed",
                    "checkpoints",
                ],
                ["model", "history"],
            ),
            node(
                nodes.choose_threshold,
                ["model", "photos", "photo_splits", "params:prediction"],
                ["threshold", "threshold_dice", "threshold_curve"],
            ),
            node(
                nodes.describe_model,
                ["model", "threshold", "photos", "params:checks", "params:registry"],
                "tracked_model",
                name="track_model",
            ),
        ],
        tags="modelling",
    ) + Pipeline([TRY_AUGMENTATION])
