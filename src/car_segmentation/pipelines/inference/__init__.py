"""From a folder of new photos to a folder of masks."""

from car_segmentation.pipelines.inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]
