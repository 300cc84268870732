"""A folder whose files are none of Kedro's business."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


class FolderDataset(AbstractDataset[None, Path]):
    """Loads the path of a folder, there or not; nodes read and write in it as they go.

    Args:
        path: The folder.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder."""
        return self._path

    def save(self, data: None) -> None:
        """Refuse: what is in the folder is written by who works with it."""
        raise TypeError("a folder cannot be saved")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
