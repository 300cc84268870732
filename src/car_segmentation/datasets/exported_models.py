"""Exported models in the catalog; see `car_segmentation.serving.export`."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from car_segmentation.core.files import atomic_folder
from car_segmentation.serving.export import FILES, Format, PendingExports


class ExportedModelsDataset(AbstractDataset[PendingExports, dict[Format, Path]]):
    """Saves a model in other formats, in place of all that the folder held; loads their files.

    Args:
        path: The folder.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> dict[Format, Path]:
        """The files by format."""
        files = {kind: self._path / name for kind, name in FILES.items()}
        return {kind: file for kind, file in files.items() if file.is_file()}

    def save(self, data: PendingExports) -> None:
        """Export."""
        with atomic_folder(self._path) as part:
            data.write(part)

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
