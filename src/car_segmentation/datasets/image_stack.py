"""Image stacks in the catalog; see `car_segmentation.data.image_stack`."""

import numpy as np

from car_segmentation.data.image_stack import ImageStack, read_stack
from car_segmentation.datasets.folders import LocalFolderDataset, check_folder
from car_segmentation.datasets.previews import ImagePreview, image_preview
from car_segmentation.report.contact_sheets import contact_sheet

PREVIEW_COLUMNS = 4


class ImageStackDataset(LocalFolderDataset[ImageStack, ImageStack]):
    """Points at a stack that a node has made in its folder; loads it memory-mapped."""

    def load(self) -> ImageStack:
        """Open the stack without reading its pixels."""
        return read_stack(self._path)

    def save(self, data: ImageStack) -> None:
        """Check that the stack is in this folder: the node has written it."""
        check_folder(data.folder, self._path)

    def _exists(self) -> bool:
        return (self._path / "index.json").is_file()

    def preview(self) -> ImagePreview:
        """Images from all over the stack on one sheet."""
        stack = self.load()
        rows = np.linspace(0, len(stack.ids) - 1, min(PREVIEW_COLUMNS, len(stack.ids)), dtype=int)
        pictures = [_as_picture(stack.image(row)) for row in rows]
        caption = f"{len(stack.ids)} images, {' x '.join(map(str, stack.pixels.shape[1:]))}"
        return image_preview(contact_sheet([pictures], [caption], cell_width=320))


def _as_picture(image: np.ndarray) -> np.ndarray:
    """An image of a stack as uint8 RGB: photos as they are, masks and probabilities in grey."""
    if image.ndim == 3 and image.shape[2] == 2:  # A mask, and what is ignored of it.
        image = image[..., 0]
    if image.ndim == 3:
        return np.asarray(image)
    brightness = image * 255.0 if np.issubdtype(image.dtype, np.floating) else image
    return np.repeat(brightness.astype(np.uint8)[..., np.newaxis], 3, axis=2)
