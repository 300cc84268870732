"""The demo_photos pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.demo_photos import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """Parameters → rendered photos and masks in Kaggle's layout."""
    return Pipeline(
        [
            node(
                nodes.render_demo_photos,
                ["params:demo_photos", "params:seed", "demo_folder"],
                ["demo_photo_files", "demo_mask_files"],
            )
        ],
        tags="demo_photos",
    )
