"""From the bytes of a photo to its pixels, or to a problem."""

import numpy as np

from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from car_segmentation.serving.problems import Problem


def decode(content: bytes, limits: Limits, subject: str = "The photo") -> np.ndarray:
    """Decode a photo, uint8 RGB (height, width, 3), upright; ``subject`` is for the message.

    Raises:
        Problem: If it cannot be used.
    """
    try:
        return open_image(content, limits).rgb()
    except UnusableImage as reason:
        raise Problem(400, f"{subject} {reason}.") from None
