"""A folder of small records, one JSON file each, to which saving adds."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from car_segmentation.core.files import atomic_file

Records = dict[str, dict[str, Any]]


class RecordFolderDataset(AbstractDataset[Records, Records]):
    """Records by name. Saving adds to those that are there, or replaces those of the same name.

    Args:
        path: The folder; one that does not exist has no records.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Records:
        """Read all records."""
        files = sorted(self._path.glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files if file.stem[0] != "."}

    def save(self, data: Records) -> None:
        """Write records, each in one step."""
        for name, record in data.items():
            with atomic_file(self._path / f"{name}.json") as part:
                part.write_text(json.dumps(record, indent=2))

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
