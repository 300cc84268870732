"""Pictures as the bytes of files, narrowed where they would be too wide."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from car_segmentation.data.images import resize_by_area


def encode_picture(picture: np.ndarray, suffix: str = ".png", options: Sequence[int] = ()) -> bytes:
    """Encode a picture in the format of a file extension.

    Args:
        picture: uint8 or uint16, grey (height, width), RGB or RGBA (height, width, 3 or 4).
        suffix: The extension, with its dot.
        options: Of ``cv2.imencode``.

    Raises:
        ValueError: If OpenCV cannot encode it so.
    """
    if suffix == ".gif":  # Not every build of OpenCV writes it.
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "GIF")
        return file.getvalue()
    if picture.ndim == 3:
        from_rgb = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
        picture = cv2.cvtColor(picture, from_rgb[picture.shape[2]])
    encoded, content = cv2.imencode(suffix, picture, options)
    if not encoded:
        raise ValueError(f"OpenCV cannot encode a picture as {suffix}")
    return content.tobytes()


def narrowed(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture, reduced to a width in pixels where it is wider, in its own shape."""
    own_height, own_width = picture.shape[:2]
    if own_width <= width:
        return picture
    return resize_by_area(picture, max(1, round(own_height * width / own_width)), width)
