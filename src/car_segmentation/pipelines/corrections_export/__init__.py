"""From photos whose masks need a hand to tasks for a labelling tool."""

from car_segmentation.pipelines.corrections_export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
