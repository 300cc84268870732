"""Models: the one that is chosen for prediction, the one that MLflow gets, and exported ones."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from kedro.io import AbstractDataset
from mlflow.models import Model

from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import is_mlflow_model, is_store, local_path
from car_segmentation.core.versions import newest_version, sibling
from car_segmentation.datasets.folders import Loaded, LocalFolderDataset, check_folder
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.experiments import model_registry as registry
from car_segmentation.experiments import tracking
from car_segmentation.prediction.threshold_file import threshold_beside
from car_segmentation.serving import ServedModel
from car_segmentation.serving import packaging as saving
from car_segmentation.serving.export import Format, exported_files

if TYPE_CHECKING:
    import keras


class _ChosenDataset(AbstractDataset[None, Loaded], Generic[Loaded]):
    """Something of a model, from wherever it is.

    Args:
        path: A ``.keras`` file, here or in an object store (``s3://…``), or what MLflow calls a
            model: ``runs:/RUN/model``, ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``. None:
            no model.
        credentials: Options of the store's fsspec file system.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(
        self,
        path: str | None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._path = path or ""
        self._credentials = credentials
        self.metadata = metadata

    @property
    def _model(self) -> FilePlace:
        """The file; of a model that Kedro keeps versions of, the newest."""
        newest = self._path if is_store(self._path) else newest_version(local_path(self._path))
        return FilePlace.at(str(newest), self._credentials)

    @property
    def _file(self) -> FilePlace:
        return self._model

    def _exists(self) -> bool:
        return bool(self._path) and (is_mlflow_model(self._path) or self._file.exists())

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path or None}


class ChosenModelDataset(_ChosenDataset["keras.Model | None"]):
    """A network, loaded in safe mode; None where there is no model."""

    def load(self) -> "keras.Model | None":
        """Read the model."""
        if not self._path:
            return None
        in_mlflow = is_mlflow_model(self._path)
        with registry.network_file(self._path) if in_mlflow else self._file.reading() as network:
            return KerasModelDataset(str(network)).load()

    def save(self, data: None) -> None:
        """Refuse: models are trained elsewhere."""
        raise TypeError("the chosen model is only read")


class ChosenThresholdDataset(_ChosenDataset[dict[str, float]]):
    """The threshold of a chosen model: ``threshold.json`` beside a file, or kept by MLflow."""

    def load(self) -> dict[str, float]:
        """Read the ``threshold``: the probability, 0 to 1, from which a pixel is car."""
        if is_mlflow_model(self._path):
            return {"threshold": registry.threshold(self._path)}
        if is_store(self._path):
            with self._file.reading() as file:
                return {"threshold": threshold_beside(file)}
        return {"threshold": threshold_beside(Path(str(self._model)))}

    def save(self, data: None) -> None:
        """Refuse: thresholds are found in training."""
        raise TypeError("the threshold of a chosen model is only read")

    @property
    def _file(self) -> FilePlace:
        if isinstance(self._model.folder, ObjectStore):
            return replace(self._model, name="threshold.json")
        return FilePlace.at(str(sibling(Path(str(self._model)), "threshold.json")))


class ExportedModelsDataset(LocalFolderDataset[Path, dict[Format, Path]]):
    """Points at a folder in which a node has exported a model; loads the files by format."""

    def load(self) -> dict[Format, Path]:
        """The files by format."""
        return exported_files(self._path)

    def save(self, data: Path) -> None:
        """Check that the models are in this folder: the node has written them."""
        check_folder(data, self._path)


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

    def _exists(self) -> bool:
        return False  # Each run logs its own.

    def load(self) -> None:
        """Refuse: the model itself is another entry of the catalog."""
        raise TypeError("models are loaded from their file, or from MLflow by their URI")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
