"""Pictures and folders of pictures, written atomically and shown in Kedro-Viz."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io.core import Version

from car_segmentation.core.files import atomic_folder
from car_segmentation.data.encoding import encode_picture
from car_segmentation.data.images import read_photo
from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.folders import LocalFolderDataset, check_folder
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.report.contact_sheets import contact_sheet

PREVIEW_PICTURES = 4

Pictures = Mapping[str, Callable[[], np.ndarray]]


class PictureDataset(FileDataset[np.ndarray, np.ndarray | None]):
    """One picture, uint8 RGB (height, width, 3).

    Args:
        filepath: Where it is; the extension is the format.
        optional: Whether the file may be missing, and None is loaded then.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def __init__(
        self,
        filepath: str,
        optional: bool = False,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
    ):
        super().__init__(filepath, version, metadata, credentials)
        self._optional = optional

    def load(self) -> np.ndarray | None:
        """Read the picture."""
        if self._optional and not self._exists():
            return None
        with self.reading() as path:
            return read_photo(path)

    def save(self, data: np.ndarray) -> None:
        """Write the picture."""
        with self.writing() as part:
            part.write_bytes(encode_picture(data, self._filepath.suffix))

    def preview(self) -> ImagePreview:
        """The picture itself."""
        with self.reading() as path:
            return image_preview(read_photo(path))


class PictureFolderDataset(LocalFolderDataset[Pictures | Path, dict[str, Path]]):
    """A folder of pictures by name.

    Saving takes a function for each name and draws one picture at a time, so that memory does
    not grow with their number. What was in the folder before is gone. Or it takes the folder
    itself, which a node has filled.

    Args:
        path: The folder.
        extension: Format of the pictures.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, extension: str = ".png", metadata: dict[str, Any] | None = None):
        super().__init__(path, metadata)
        self._extension = extension

    def load(self) -> dict[str, Path]:
        """The picture files by name."""
        files = sorted(self._path.glob(f"*{self._extension}"))
        return {path.stem: path for path in files}

    def save(self, data: Pictures | Path) -> None:
        """Draw and write every picture."""
        if isinstance(data, Path):
            check_folder(data, self._path)
            return
        with atomic_folder(self._path) as part:
            for name, draw in data.items():
                picture_file = part / f"{name}{self._extension}"
                picture_file.write_bytes(encode_picture(draw(), self._extension))

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"extension": self._extension}

    def preview(self) -> ImagePreview:
        """The first few pictures on one sheet."""
        pictures = list(self.load().items())[:PREVIEW_PICTURES]
        rows, names = [[read_photo(path)] for _, path in pictures], [name for name, _ in pictures]
        return image_preview(contact_sheet(rows, names, cell_width=800))
