"""Folders of predictions in the catalog; see `car_segmentation.prediction.folder_job`."""

from pathlib import Path

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.tables import read_table
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.folders import PlaceDataset, check_folder
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.prediction.folder_job import PREDICTIONS_FILE
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.report.contact_sheets import contact_sheet
from car_segmentation.report.error_maps import mask_picture

PREVIEW_COLUMNS = 4
TEXT = ("photo", "warnings")
"""Columns of text of the table."""


class PredictionPlaceDataset(PlaceDataset[None, Path | ObjectStore]):
    """Loads the place of predictions, there or not; the node writes them as it goes."""

    def load(self) -> Path | ObjectStore:
        """The place."""
        return self._place

    def save(self, data: None) -> None:
        """Refuse: the node that takes the place writes there."""
        raise TypeError("a folder cannot be saved")


class PredictionFolderDataset(PlaceDataset[Path | ObjectStore, pd.DataFrame]):
    """Points at the predictions that a node has made in its folder; loads the table of them."""

    def load(self) -> pd.DataFrame:
        """Read the table, a row per photo."""
        table = self._file(PREDICTIONS_FILE)
        if not table.exists():
            raise UserError(
                f"There are no predictions in {self._place}: run `kedro run --pipelines=inference "
                "--params=photos=FOLDER,predictions=FOLDER` first."
            )
        with table.reading() as path:
            return read_table(path, text=TEXT)

    def save(self, data: Path | ObjectStore) -> None:
        """Check that the predictions are in this folder: the node has written them."""
        if isinstance(data, Path) and isinstance(self._place, Path):
            check_folder(data, self._place)
        elif data != self._place:
            raise ValueError(f"the result is in {data}, and should be in {self._place}")

    def _exists(self) -> bool:
        return self._file(PREDICTIONS_FILE).exists()

    def preview(self) -> ImagePreview:
        """The first few masks on one sheet."""
        photos = self.load().dropna(subset="height")["photo"][:PREVIEW_COLUMNS]
        masks = [mask_picture(self._mask(photo)) for photo in photos]
        return image_preview(contact_sheet([masks], [", ".join(photos)], cell_width=320))

    def _mask(self, photo: str) -> np.ndarray:
        with self._file(output_file(Path(), MASKS, photo).as_posix()).reading() as path:
            return read_mask(path)

    def _file(self, name: str) -> FilePlace:
        return FilePlace(self._place, name)
