"""The export pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.export.nodes import check_exports, export_model


def create_pipeline() -> Pipeline:
    """The model → files for other runtimes, and a table that compares them with Keras."""
    return Pipeline(
        [
            Node(
                func=export_model,
                inputs=["model", "threshold", "params:export", "exported_models_folder"],
                outputs="exported_models",
                name="export_model",
            ),
            Node(
                func=check_exports,
                inputs=["exported_models", "model", "threshold", "photo_splits", "params:export"],
                outputs="export_check",
                name="check_exports",
            ),
        ],
        tags="export",
    )
