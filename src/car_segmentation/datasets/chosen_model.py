"""The model that new photos are predicted with: a file, or one that MLflow has."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.experiments import model_registry as registry
from car_segmentation.prediction.threshold_file import threshold_beside

if TYPE_CHECKING:
    import keras


class ChosenModelDataset(AbstractDataset[None, "keras.Model"]):
    """A network, loaded in safe mode, from wherever it is.

    Args:
        path: A ``.keras`` file, or what MLflow calls a model: ``runs:/RUN/model``,
            ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = path
        self.metadata = metadata

    def load(self) -> "keras.Model":
        """Read the model."""
        if not registry.is_mlflow_model(self._path):
            return KerasModelDataset(self._path).load()
        with registry.network_file(self._path) as network:
            return KerasModelDataset(str(network)).load()

    def save(self, data: None) -> None:
        """Refuse: models are trained elsewhere."""
        raise TypeError("the chosen model is only read")

    def _exists(self) -> bool:
        return registry.is_mlflow_model(self._path) or Path(self._path).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}


class ChosenThresholdDataset(AbstractDataset[None, dict[str, float]]):
    """The threshold of a chosen model: ``threshold.json`` beside a file, or kept by MLflow.

    Args:
        path: As for `ChosenModelDataset`.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = path
        self.metadata = metadata

    def load(self) -> dict[str, float]:
        """Read the ``threshold``: the probability, 0 to 1, from which a pixel is car."""
        if registry.is_mlflow_model(self._path):
            return {"threshold": registry.threshold(self._path)}
        return {"threshold": threshold_beside(Path(self._path))}

    def save(self, data: None) -> None:
        """Refuse: thresholds are found in training."""
        raise TypeError("the threshold of a chosen model is only read")

    def _exists(self) -> bool:
        beside = Path(self._path).with_name("threshold.json")
        return registry.is_mlflow_model(self._path) or beside.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}
