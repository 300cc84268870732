"""Folders: those that nodes fill, those of photos, and those of small records.

A node whose result is a folder gets it as an input, of type `FolderDataset`, fills it while it
runs, and returns what is in it. The dataset of the result points at the same folder: so Kedro names
and times the node that works, and shows its errors.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from kedro.io import AbstractDataset

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import is_store, local_path
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.prediction.new_photos import StoredPhotos
from car_segmentation.report.contact_sheets import contact_sheet
from car_segmentation.report.error_maps import mask_picture

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class LocalFolderDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A folder of this machine.

    Args:
        path: The folder.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = local_path(path)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


class PlaceDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A folder of this machine or of an object store.

    Args:
        path: The folder, or its address (``s3://…``).
        credentials: Options of the store's fsspec file system.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(
        self,
        path: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._place = ObjectStore.at(path, credentials) if is_store(path) else local_path(path)
        self.metadata = metadata

    def _exists(self) -> bool:
        return isinstance(self._place, ObjectStore) or self._place.exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._place)}


class FolderDataset(LocalFolderDataset[None, Path]):
    """Loads the path of a folder, there or not; nodes read and write in it as they go."""

    def load(self) -> Path:
        """The folder."""
        return self._path

    def save(self, data: None) -> None:
        """Refuse: the node that takes the folder writes into it."""
        raise TypeError("a folder cannot be saved")


def check_folder(filled: Path | None, expected: Path) -> None:
    """Check that a node has filled the folder of its result's dataset, and not another.

    Raises:
        ValueError: If it has not: the node's folder and its result differ in the catalog.
    """
    if filled is None or filled.resolve() != expected.resolve():
        raise ValueError(f"the result is in {filled or 'memory'}, and should be in {expected}")


PREVIEW_COLUMNS = 4


class PhotoFolderDataset(PlaceDataset[None, list[Path] | StoredPhotos]):
    """Lists the files of a folder and of folders inside it, in order of path; reads none.

    Hidden files and folders are left out, and links to folders are not followed. A folder that does
    not exist is an empty list: the node that needs photos reports it.

    Args:
        path: The folder, or a single file; here, or in an object store (``s3://…``).
        masks: Whether it holds masks, for the preview.
        credentials: Options of the store's fsspec file system.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(
        self,
        path: str,
        masks: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        super().__init__(path, credentials, metadata)
        self._masks = masks

    def load(self) -> list[Path] | StoredPhotos:
        """List the files."""
        if isinstance(self._place, ObjectStore):
            return StoredPhotos.at(self._place)
        return _files_of(self._place)

    def save(self, data: None) -> None:
        """Refuse: raw photos are never written."""
        raise TypeError("a folder of raw photos is read-only")

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"masks": self._masks}

    def preview(self) -> ImagePreview:
        """The first few files of the folder, on one sheet."""
        if isinstance(self._place, ObjectStore):
            raise UserError(f"{self._place} is in an object store: there is no preview.")
        pictures = []
        for path in _files_of(self._place)[:PREVIEW_COLUMNS]:
            with suppress(UnusableImage):
                pictures.append(mask_picture(read_mask(path)) if self._masks else read_photo(path))
        sheet = contact_sheet([pictures], [self._place.name], cell_width=320)
        return image_preview(sheet)


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = []
    for folder, inside, names in os.walk(path):
        inside[:] = [name for name in inside if not name.startswith((".", "__MACOSX"))]
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(files)


Records = dict[str, dict[str, Any]]


class RecordFolderDataset(LocalFolderDataset[Records, Records]):
    """Records by name. Saving adds to those that are there, or replaces those of the same name.

    A folder that does not exist has no records.
    """

    def load(self) -> Records:
        """Read all records."""
        files = sorted(self._path.glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files if file.stem[0] != "."}

    def save(self, data: Records) -> None:
        """Write records, each in one step."""
        for name, record in data.items():
            with atomic_file(self._path / f"{name}.json") as part:
                part.write_text(json.dumps(record, indent=2))
