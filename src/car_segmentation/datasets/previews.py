"""Pictures as Kedro-Viz takes them."""

import base64
import io

import cv2
import numpy as np
from kedro_datasets._typing import ImagePreview, JSONPreview, PlotlyPreview, TablePreview
from PIL import Image

__all__ = [
    "ImagePreview",
    "JSONPreview",
    "PlotlyPreview",
    "TablePreview",
    "encode_picture",
    "image_preview",
]
# Kedro-Viz knows previews by these types' names, and Kedro's documentation takes them from there.

MAX_PREVIEW_WIDTH = 1600
"""Pixels; a preview travels inside a JSON answer."""


def image_preview(picture: np.ndarray) -> ImagePreview:
    """Encode a picture, uint8 RGB, as base64 PNG, narrowed to `MAX_PREVIEW_WIDTH`."""
    height, width = picture.shape[:2]
    if width > MAX_PREVIEW_WIDTH:
        size = (MAX_PREVIEW_WIDTH, round(height * MAX_PREVIEW_WIDTH / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return ImagePreview(base64.b64encode(encode_picture(picture, ".png")).decode())


def encode_picture(picture: np.ndarray, extension: str) -> bytes:
    """Encode a picture, uint8 RGB or grey, in the format of a file extension such as ``.png``."""
    if extension == ".gif":  # Not every build of OpenCV writes it.
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "GIF")
        return content.getvalue()
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded, array = cv2.imencode(extension, picture)
    if not encoded:
        raise ValueError(f"OpenCV cannot encode a picture as {extension}")
    return array.tobytes()
