"""From two MLflow runs to the photos that got better and worse between them."""

from car_segmentation.pipelines.run_comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
