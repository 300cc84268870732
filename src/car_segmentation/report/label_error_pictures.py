"""Pictures of masks that may be wrong: the suspicious place, with the model's outline beside it."""

import cv2
import numpy as np

from car_segmentation.data.boxes import Box
from car_segmentation.report.colours import rgb
from car_segmentation.report.enlarged_places import PLACE, PLACE_CELL, labelled, place_size
from car_segmentation.report.error_maps import outlined
from car_segmentation.report.text_drawing import colour_key

MODEL = rgb("model")
"""Violet: the outline of the model's mask beside that of a mask in doubt."""
OUTLINE = 2
"""Pixels: width of the outlines."""
ROOM = 1.3
"""A place in doubt is shown with so much room: times its size."""


def doubted_place(
    photo: np.ndarray, truth: np.ndarray, predicted: np.ndarray, box: Box, width: int
) -> np.ndarray:
    """The doubted place of a mask, with the outlines of the mask and of the model's mask.

    Args:
        photo: uint8 RGB (height, width, 3).
        truth: bool (height, width): the mask that is doubted; yellow.
        predicted: bool (height, width): the model's; its outline is violet.
        box: The place; shown with room around it, in the shape of `PLACE_CELL`, and no smaller
            than `place_size`.
        width: Of the picture, in pixels.

    Returns:
        uint8 RGB, in the shape of `PLACE_CELL`.
    """
    shown = _box_around(box, photo.shape)
    size = (width, round(width * PLACE_CELL[0] / PLACE_CELL[1]))
    picture = cv2.resize(shown.of(photo), size, interpolation=cv2.INTER_AREA)
    for mask, colour in ((predicted, MODEL), (truth, PLACE)):
        pixels = shown.of(mask).astype(np.uint8)
        enlarged = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST)
        picture = outlined(picture, enlarged, colour, OUTLINE)
    return labelled(picture, f"{shown.width} px wide")


def outline_key(width: int) -> np.ndarray:
    """A strip that says what the outlines of `doubted_place` mean; uint8 RGB (…, width, 3)."""
    return colour_key(((PLACE, "the mask"), (MODEL, "the model's mask")), width)


def _box_around(box: Box, shape: tuple[int, ...]) -> Box:
    """A box with room around it, in the shape of a cell, moved and cut to stay in the photo."""
    least = place_size(shape[1])
    aspect = PLACE_CELL[1] / PLACE_CELL[0]
    height = max(ROOM * box.height, ROOM * box.width / aspect, least[0])
    height = min(height, shape[0], shape[1] / aspect)
    width = round(height * aspect)
    height = round(height)
    top = min(max(round((box.top + box.bottom - height) / 2), 0), shape[0] - height)
    left = min(max(round((box.left + box.right - width) / 2), 0), shape[1] - width)
    return Box(top, left, top + height, left + width)
