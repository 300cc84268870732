"""Render a small demo set, so that a first run needs no download."""

from car_segmentation.pipelines.demo_photos.pipeline import create_pipeline

__all__ = ["create_pipeline"]
