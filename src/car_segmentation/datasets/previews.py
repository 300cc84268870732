"""Pictures as Kedro-Viz takes them."""

import base64

import numpy as np
from kedro_datasets._typing import ImagePreview, JSONPreview, PlotlyPreview, TablePreview

from car_segmentation.data.encoding import encode_picture, narrowed

__all__ = [
    "ImagePreview",
    "JSONPreview",
    "PlotlyPreview",
    "TablePreview",
    "image_preview",
]
# Kedro-Viz knows previews by these types' names, and Kedro's documentation takes them from there.

MAX_PREVIEW_WIDTH = 1600
"""Pixels; a preview travels inside a JSON answer."""


def image_preview(picture: np.ndarray) -> ImagePreview:
    """Encode a picture, uint8 RGB, as base64 PNG, narrowed to `MAX_PREVIEW_WIDTH`."""
    png = encode_picture(narrowed(picture, MAX_PREVIEW_WIDTH))
    return ImagePreview(base64.b64encode(png).decode())
