"""From a new version of the registered model to the version that others use."""

from car_segmentation.pipelines.promotion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
