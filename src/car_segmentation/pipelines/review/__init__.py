"""From a folder of predictions to the order in which a person should look at them."""

from car_segmentation.pipelines.review.pipeline import create_pipeline

__all__ = ["create_pipeline"]
