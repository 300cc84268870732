"""From a list of networks to a table of how good and how costly each is."""

from car_segmentation.pipelines.network_comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
