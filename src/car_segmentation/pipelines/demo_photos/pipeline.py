"""The demo_photos pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.demo_photos.nodes import render_demo_photos


def create_pipeline() -> Pipeline:
    """Parameters → rendered photos and masks in Kaggle's layout."""
    return Pipeline(
        [
            Node(
                func=render_demo_photos,
                inputs=["params:demo_photos", "params:seed", "demo_folder"],
                outputs=["demo_photo_files", "demo_mask_files"],
                name="render_demo_photos",
            )
        ],
        tags="demo_photos",
    )
