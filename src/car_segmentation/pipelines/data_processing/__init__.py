"""From raw photos and masks to checked, split and resized ones, and a checked augmentation."""

from car_segmentation.pipelines.data_processing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
