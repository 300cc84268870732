"""What datasets of one file have in common: where it is, with and without versions."""

from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version, VersionNotFoundError

from car_segmentation.core.places import local_path

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class FileDataset(AbstractVersionedDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A file of this machine, of which Kedro may keep versions (``versioned: true``).

    Args:
        filepath: Where it is.
        version: Which version is loaded and which is saved, from Kedro; None: there are none.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(
        self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ):
        super().__init__(PurePosixPath(local_path(filepath).as_posix()), version)
        self.metadata = metadata

    @property
    def load_path(self) -> Path:
        """The file to read, which may not be there."""
        try:
            return Path(self._get_load_path())
        except VersionNotFoundError:
            return Path(self._filepath)

    @property
    def save_path(self) -> Path:
        """The file to write."""
        return Path(self._get_save_path())

    def _exists(self) -> bool:
        return self.load_path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
