"""What datasets of one file have in common: where it is, with and without versions."""

from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version, VersionNotFoundError

from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import is_store, local_path

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class FileDataset(AbstractVersionedDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A file here or in an object store, of which Kedro may keep versions (``versioned: true``).

    Args:
        filepath: Where it is: a path, or an address (``s3://…``).
        version: Which version is loaded and which is saved, from Kedro; None: there are none.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
    ):
        self._protocol, self._credentials = "", credentials
        if is_store(filepath):
            protocol, mark, path = filepath.partition("://")
            self._protocol = protocol + mark
            super().__init__(PurePosixPath(path), version, self._exists_at, self._glob)
        else:
            super().__init__(PurePosixPath(local_path(filepath).as_posix()), version)
        self.metadata = metadata

    def load_place(self, suffix: str | None = None) -> FilePlace:
        """The file to read, which may not be there.

        Args:
            suffix: That of another file of the same name; None: this one.
        """
        try:
            return self._place(self._get_load_path(), suffix)
        except VersionNotFoundError:
            return self._place(self._filepath, suffix)

    def save_place(self, suffix: str | None = None) -> FilePlace:
        """The file to write; see `load_place`."""
        return self._place(self._get_save_path(), suffix)

    def reading(self, suffix: str | None = None) -> AbstractContextManager[Path]:
        """The file to read, or a copy of it; see `FilePlace.reading`."""
        return self.load_place(suffix).reading()

    def writing(self, durable: bool = False) -> AbstractContextManager[Path]:
        """A path to write to; see `FilePlace.writing`."""
        return self.save_place().writing(durable)

    def _place(self, path: PurePosixPath, suffix: str | None) -> FilePlace:
        file = path if suffix is None else path.with_suffix(suffix)
        return FilePlace.at(f"{self._protocol}{file}", self._credentials)

    def _exists(self) -> bool:
        return self.load_place().exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": f"{self._protocol}{self._filepath}", "version": self._version}

    def _exists_at(self, path: str) -> bool:
        return self._place(PurePosixPath(path), None).exists()

    def _glob(self, pattern: str) -> list[str]:
        bucket, _, inside = pattern.partition("/")
        found = ObjectStore.at(f"{self._protocol}{bucket}", self._credentials).glob(inside)
        return [f"{bucket}/{name}" for name in found]
