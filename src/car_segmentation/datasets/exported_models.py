"""Exported models in the catalog; see `car_segmentation.serving.export`."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from car_segmentation.datasets.folder import check_folder
from car_segmentation.serving.export import Format, exported_files


class ExportedModelsDataset(AbstractDataset[Path, dict[Format, Path]]):
    """Points at a folder in which a node has exported a model; loads the files by format.

    Args:
        path: The folder.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> dict[Format, Path]:
        """The files by format."""
        return exported_files(self._path)

    def save(self, data: Path) -> None:
        """Check that the models are in this folder: the node has written them."""
        check_folder(data, self._path)

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
