"""Models in MLflow, with signature, input example and pinned requirements."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
from kedro.io import AbstractDataset
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from car_segmentation.tracking import is_tracking

if TYPE_CHECKING:
    import keras

PINNED = ("keras", "numpy", "tensorflow")


class _KerasFlavor:
    """MLflow's Keras flavour, which forgets to make the folder for the input example (3.17)."""

    @staticmethod
    def save_model(path: str, **options: Any) -> None:
        Path(path).mkdir(parents=True, exist_ok=True)
        mlflow.keras.save_model(path=path, **options)


class TrackedModelDataset(AbstractDataset[tuple["keras.Model", np.ndarray], None]):
    """Logs a model, given with an example of its input, to the active MLflow run.

    Args:
        name: Name of the model in the run.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, name: str, metadata: dict[str, Any] | None = None):
        self._name = name
        self.metadata = metadata

    def save(self, data: tuple["keras.Model", np.ndarray]) -> None:
        """Log the model; do nothing where tracking is off."""
        if not is_tracking():
            return
        model, example = data
        photo_shape = (-1, *example.shape[1:])
        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype("uint8"), photo_shape, "photo")]),
            outputs=Schema([TensorSpec(np.dtype("float32"), (*photo_shape[:3], 1))]),
        )
        Model.log(
            artifact_path=None,
            name=self._name,
            flavor=_KerasFlavor,
            model=model,
            signature=signature,
            input_example={"photo": example},
            pip_requirements=[f"{package}=={version(package)}" for package in PINNED],
        )

    def load(self) -> None:
        """Refuse: the model itself is another entry of the catalog."""
        raise TypeError("models are loaded from their file, or from MLflow by their URI")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
