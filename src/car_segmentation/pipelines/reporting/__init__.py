"""From a model to scores of the test photos, and pictures of where it errs."""

from car_segmentation.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
