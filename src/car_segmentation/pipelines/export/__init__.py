"""From the trained model to files for other runtimes."""

from car_segmentation.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
