"""Folders of predictions in the catalog; see `car_segmentation.prediction.folder_job`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.tables import read_table
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.folders import check_folder, place
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.prediction.folder_job import PREDICTIONS_FILE
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.report.contact_sheets import contact_sheet
from car_segmentation.report.error_maps import mask_picture

PREVIEW_COLUMNS = 4
TEXT = ("photo", "warnings")
"""Columns of text of the table."""


class _AtPlace(AbstractDataset[Any, Any]):
    """Predictions in a folder, here or in a store."""

    def __init__(
        self,
        path: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._place = place(path, credentials)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._place)}


class PredictionPlaceDataset(_AtPlace):
    """Loads the place of predictions, there or not; the node writes them as it goes.

    Args:
        path: A folder, here or in an object store (``s3://…``).
        credentials: Options of the store's fsspec file system.
        metadata: For plugins such as Kedro-Viz.
    """

    def load(self) -> Path | ObjectStore:
        """The place."""
        return self._place

    def save(self, data: None) -> None:
        """Refuse: the node that takes the place writes there."""
        raise TypeError("a folder cannot be saved")

    def _exists(self) -> bool:
        return isinstance(self._place, ObjectStore) or self._place.is_dir()


class PredictionFolderDataset(_AtPlace):
    """Points at the predictions that a node has made in its folder; loads the table of them.

    Args:
        path: The folder, here or in an object store (``s3://…``).
        credentials: Options of the store's fsspec file system.
        metadata: For plugins such as Kedro-Viz.
    """

    def load(self) -> pd.DataFrame:
        """Read the table, a row per photo."""
        try:
            if isinstance(self._place, ObjectStore):
                if not self._exists():
                    raise FileNotFoundError
                with self._place.local(PREDICTIONS_FILE) as copy:
                    return read_table(copy, text=TEXT)
            return read_table(self._place / PREDICTIONS_FILE, text=TEXT)
        except FileNotFoundError:
            raise UserError(
                f"There are no predictions in {self._place}: run `kedro run --pipelines=inference "
                "--params=photos=FOLDER,predictions=FOLDER` first."
            ) from None

    def save(self, data: Path | ObjectStore) -> None:
        """Check that the predictions are in this folder: the node has written them."""
        if isinstance(data, Path) and isinstance(self._place, Path):
            check_folder(data, self._place)
        elif data != self._place:
            raise ValueError(f"the result is in {data}, and should be in {self._place}")

    def _exists(self) -> bool:
        if isinstance(self._place, ObjectStore):
            return self._place.exists(PREDICTIONS_FILE)
        return (self._place / PREDICTIONS_FILE).is_file()

    def preview(self) -> ImagePreview:
        """The first few masks on one sheet."""
        photos = self.load().dropna(subset="height")["photo"][:PREVIEW_COLUMNS]
        masks = [mask_picture(self._mask(photo)) for photo in photos]
        return image_preview(contact_sheet([masks], [", ".join(photos)], cell_width=320))

    def _mask(self, photo: str) -> np.ndarray:
        if isinstance(self._place, Path):
            return read_mask(output_file(self._place, MASKS, photo))
        with self._place.local(output_file(Path(), MASKS, photo).as_posix()) as copy:
            return read_mask(copy)
