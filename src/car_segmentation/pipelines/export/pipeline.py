"""The export pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.export import nodes
from car_segmentation.pipelines.named_node import node


def create_pipeline() -> Pipeline:
    """The model → files for other runtimes, and a table that compares them with Keras."""
    return Pipeline(
        [
            node(
                nodes.export_model,
                ["model", "threshold", "params:export", "exported_models_folder"],
                "exported_models",
            ),
            node(
                nodes.check_exports,
                ["exported_models", "model", "threshold", "photo_splits", "params:export"],
                "export_check",
            ),
        ],
        tags="export",
    )
