"""The modelling pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.data_processing.pipeline import TRY_AUGMENTATION
from car_segmentation.pipelines.modelling.nodes import (
    build_network,
    choose_threshold,
    describe_model,
    train_network,
)


def create_pipeline() -> Pipeline:
    """Network → training → model, history and threshold."""
    return Pipeline(
        [
            Node(
                func=build_network,
                inputs=[
                    "params:network",
                    "params:image",
                    "params:training",
                    "params:seed",
                    "start_model",
                ],
                outputs="network",
                name="build_network",
            ),
            Node(
                func=train_network,
                inputs=[
                    "network",
                    "photos",
                    "soft_masks",
                    "photo_splits",
                    "augmentation",
                    "params:training",
                    "params:seed",
                    "checkpoints",
                ],
                outputs=["model", "history"],
                name="train_network",
            ),
            Node(
                func=choose_threshold,
                inputs=["model", "photos", "photo_splits", "params:prediction"],
                outputs=["threshold", "threshold_dice", "threshold_curve"],
                name="choose_threshold",
            ),
            Node(
                func=describe_model,
                inputs=["model", "threshold", "photos", "params:checks", "params:registry"],
                outputs="tracked_model",
                name="track_model",
            ),
        ],
        tags="modelling",
    ) + Pipeline([TRY_AUGMENTATION])
