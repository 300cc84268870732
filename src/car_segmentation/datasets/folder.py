"""Folders that nodes fill.

A node whose result is a folder gets it as an input, of type `FolderDataset`, fills it while it
runs, and returns what is in it. The dataset of the result points at the same folder: so Kedro names
and times the node that works, and shows its errors.
"""

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
        """Refuse: the node that takes the folder writes into it."""
        raise TypeError("a folder cannot be saved")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def check_folder(filled: Path | None, expected: Path) -> None:
    """Check that a node has filled the folder of its result's dataset, and not another.

    Raises:
        ValueError: If it has not: the node's folder and its result differ in the catalog.
    """
    if filled is None or filled.resolve() != expected.resolve():
        raise ValueError(f"the result is in {filled or 'memory'}, and should be in {expected}")
