"""The data_processing pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.data_processing import nodes
from car_segmentation.pipelines.data_processing.annotation_nodes import draw_annotations
from car_segmentation.pipelines.named_node import node

TRY_AUGMENTATION = node(
    nodes.augment,
    [
        "photos",
        "soft_masks",
        "photo_splits",
        "params:augmentation",
        "params:seed",
        "params:subject",
    ],
    ["augmentation", "augmentation_sheet"],
    tags=["data_processing", "modelling"],
)
"""In both pipelines: it is looked at before a training, and a training never takes an older one."""


def create_pipeline() -> Pipeline:
    """Raw photos and masks → soft masks → resized photos → table → split → augmentation."""
    return Pipeline(
        [
            node(
                draw_annotations,
                [
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
                "drawn_masks",
            ),
            node(
                nodes.pair_photos_with_masks,
                [
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
                ["photo_pairs", "unpaired_files"],
            ),
            node(
                nodes.resize_masks,
                [
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
                "soft_masks",
            ),
            node(
                nodes.resize_photos,
                ["photo_pairs", "soft_masks", "params:image", "params:checks", "photos_folder"],
                "photos",
            ),
            node(
                nodes.check_photos_and_masks,
                [
                    "photo_pairs",
                    "photos",
                    "soft_masks",
                    "unpaired_files",
                    "car_metadata",
                    "params:masks",
                    "params:checks",
                    "params:data_folder",
                ],
                ["photo_table", "rejected_photos", "data_summary"],
            ),
            node(
                nodes.split_cars,
                ["photo_table", "params:split", "params:seed", "params:subject"],
                "photo_splits",
            ),
            node(nodes.show_data, ["photos", "soft_masks", "photo_splits"], "data_sheet"),
        ],
        tags="data_processing",
    ) + Pipeline([TRY_AUGMENTATION])
