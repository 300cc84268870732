"""The data_processing pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.data_processing.annotation_nodes import draw_annotations
from car_segmentation.pipelines.data_processing.nodes import (
    augment,
    check_photos_and_masks,
    pair_photos_with_masks,
    resize_masks,
    resize_photos,
    show_data,
    split_cars,
)

TRY_AUGMENTATION = Node(
    func=augment,
    inputs=[
        "photos",
        "soft_masks",
        "photo_splits",
        "params:augmentation",
        "params:seed",
        "params:subject",
    ],
    outputs=["augmentation", "augmentation_sheet"],
    name="augment",
    tags=["data_processing", "modelling"],
)
"""In both pipelines: it is looked at before a training, and a training never takes an older one."""


def create_pipeline() -> Pipeline:
    """Raw photos and masks → soft masks → resized photos → table → split → augmentation."""
    return Pipeline(
        [
            Node(
                func=draw_annotations,
                inputs=[
                    "photo_files",
                    "params:raw_data",
                    "params:photo_folder",
                    "params:annotations",
                    "params:annotation_format",
                    "params:corrections",
                    "params:masks",
                    "params:checks",
                    "annotated_masks_folder",
                ],
                outputs="drawn_masks",
                name="draw_annotations",
            ),
            Node(
                func=pair_photos_with_masks,
                inputs=[
                    "photo_files",
                    "mask_files",
                    "drawn_masks",
                    "params:raw_data",
                    "params:photo_folder",
                    "params:mask_folder",
                    "params:pairing",
                    "params:subject",
                    "params:annotations",
                    "params:corrections",
                ],
                outputs=["photo_pairs", "unpaired_files"],
                name="pair_photos_with_masks",
            ),
            Node(
                func=resize_masks,
                inputs=[
                    "photo_pairs",
                    "params:raw_data",
                    "params:mask_folder",
                    "params:annotations",
                    "params:masks",
                    "params:image",
                    "params:checks",
                    "soft_masks_folder",
                    "own_masks_folder",
                ],
                outputs="soft_masks",
                name="resize_masks",
            ),
            Node(
                func=resize_photos,
                inputs=[
                    "photo_pairs",
                    "soft_masks",
                    "params:image",
                    "params:checks",
                    "photos_folder",
                ],
                outputs="photos",
                name="resize_photos",
            ),
            Node(
                func=check_photos_and_masks,
                inputs=[
                    "photo_pairs",
                    "photos",
                    "soft_masks",
                    "unpaired_files",
                    "car_metadata",
                    "params:masks",
                    "params:checks",
                    "params:data_folder",
                ],
                outputs=["photo_table", "rejected_photos", "data_summary"],
                name="check_photos_and_masks",
            ),
            Node(
                func=split_cars,
                inputs=["photo_table", "params:split", "params:seed", "params:subject"],
                outputs="photo_splits",
                name="split_cars",
            ),
            Node(
                func=show_data,
                inputs=["photos", "soft_masks", "photo_splits"],
                outputs="data_sheet",
                name="show_data",
            ),
        ],
        tags="data_processing",
    ) + Pipeline([TRY_AUGMENTATION])
