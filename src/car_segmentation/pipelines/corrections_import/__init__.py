"""From what a labelling tool exported to masks that take the place of the old ones."""

from car_segmentation.pipelines.corrections_import.pipeline import create_pipeline

__all__ = ["create_pipeline"]
