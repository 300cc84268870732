"""Models in MLflow: photo bytes in, mask out."""

import os
from typing import Any

from kedro.io import AbstractDataset
from mlflow.models import Model

from car_segmentation.experiments import model_registry as registry
from car_segmentation.experiments import tracking
from car_segmentation.serving import ServedModel
from car_segmentation.serving import packaging as saving


class TrackedModelDataset(AbstractDataset[ServedModel, None]):
    """Logs a model to the active MLflow run, and registers it where it has a name for that.

    Args:
        name: Name of the model in the run.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, name: str, metadata: dict[str, Any] | None = None):
        self._name = name
        self.metadata = metadata

    def save(self, data: ServedModel) -> None:
        """Log the model; do nothing where tracking is off."""
        if not tracking.is_tracking():
            return
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        logged = Model.log(
            artifact_path=None,
            name=self._name,
            flavor=saving,
            served=data,
            validate_serving_input=False,  # It would load Keras' graph again.
        )
        if data.registered_name is not None:
            registry.register(data.registered_name, logged.model_uri, logged.run_id)

    def load(self) -> None:
        """Refuse: the model itself is another entry of the catalog."""
        raise TypeError("models are loaded from their file, or from MLflow by their URI")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
