"""From ranges and choices of parameters to the best of some trials."""

from car_segmentation.pipelines.search.pipeline import create_pipeline

__all__ = ["create_pipeline"]
