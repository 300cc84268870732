"""A folder of photos or masks, as the list of its files."""

import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview

from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.previews import image_preview
from car_segmentation.report.contact_sheets import contact_sheet
from car_segmentation.report.error_maps import mask_picture

PREVIEW_COLUMNS = 4


class PhotoFolderDataset(AbstractDataset[list[Path], list[Path]]):
    """Lists the files of a folder and of folders inside it, in order of path; reads none.

    Hidden files and folders are left out, and links to folders are not followed. A folder that does
    not exist is an empty list: the node that wants photos says what to do.

    Args:
        path: The folder, or a single file.
        masks: Whether it holds masks, for the preview.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, masks: bool = False, metadata: dict[str, Any] | None = None):
        self._path = Path(path)
        self._masks = masks
        self.metadata = metadata

    def load(self) -> list[Path]:
        """List the files."""
        if self._path.is_file():
            return [self._path]
        files = []
        for folder, inside, names in os.walk(self._path):
            inside[:] = [name for name in inside if not name.startswith((".", "__MACOSX"))]
            files += [Path(folder, name) for name in names if not name.startswith(".")]
        return sorted(files)

    def save(self, data: list[Path]) -> None:
        """Refuse: raw photos are never written."""
        raise TypeError("a folder of raw photos is read-only")

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "masks": self._masks}

    def preview(self) -> ImagePreview:
        """The first few files of the folder, on one sheet."""
        pictures = []
        for path in self.load()[:PREVIEW_COLUMNS]:
            try:
                picture = mask_picture(read_mask(path)) if self._masks else read_photo(path)
            except UnusableImage:
                continue
            pictures.append(picture)
        sheet = contact_sheet([pictures], [str(self._path.name)], cell_width=320)
        return image_preview(sheet)
