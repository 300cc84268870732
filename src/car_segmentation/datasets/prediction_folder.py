"""Folders of predictions in the catalog; see `car_segmentation.prediction.folder_job`."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import local_path
from car_segmentation.core.tables import read_table
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.folders import check_folder
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.prediction.folder_job import PREDICTIONS_FILE
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.report.contact_sheets import contact_sheet
from car_segmentation.report.error_maps import mask_picture

PREVIEW_COLUMNS = 4


class PredictionFolderDataset(AbstractDataset[Path, pd.DataFrame]):
    """Points at the predictions that a node has made in its folder; loads the table of them.

    Args:
        path: The folder.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, path: str, metadata: dict[str, Any] | None = None):
        self._path = local_path(path)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the table, a row per photo."""
        try:
            return read_table(self._path / PREDICTIONS_FILE, text=["photo", "warnings"])
        except FileNotFoundError:
            raise UserError(
                f"There are no predictions in {self._path}: run `kedro run --pipelines=inference "
                "--params=photos=FOLDER,predictions=FOLDER` first."
            ) from None

    def save(self, data: Path) -> None:
        """Check that the predictions are in this folder: the node has written them."""
        check_folder(data, self._path)

    def _exists(self) -> bool:
        return (self._path / PREDICTIONS_FILE).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self) -> ImagePreview:
        """The first few masks on one sheet."""
        photos = self.load().dropna(subset="height")["photo"][:PREVIEW_COLUMNS]
        masks = [mask_picture(read_mask(output_file(self._path, MASKS, photo))) for photo in photos]
        return image_preview(contact_sheet([masks], [", ".join(photos)], cell_width=320))
