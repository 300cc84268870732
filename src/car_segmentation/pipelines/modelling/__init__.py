"""From resized photos to a trained model with its threshold."""

from car_segmentation.pipelines.modelling.pipeline import create_pipeline

__all__ = ["create_pipeline"]
