"""Places of a photo where a mask is wrong, enlarged so that single pixels can be seen."""

from collections.abc import Sequence

import cv2
import numpy as np

from car_segmentation.data.boxes import Box
from car_segmentation.report.colours import BACKGROUND, rgb
from car_segmentation.report.text_drawing import text_width, write

PLACE = rgb("place")
"""Yellow, which error maps have not."""
PLACE_CELL = (360, 480)
"""Height and width, in pixels, of the room that an enlarged place has."""
PLACE_FRACTION = 8
"""A place is about 1/8 as wide as the photo: 240 pixels of Carvana's 1918, enlarged twice."""
MAX_ZOOM = 16

DARK_LEVEL = 110
"""A place whose brightest pixels (but for 1 %) are darker than this is shown brighter, up to here
at first and then by no more than `MAX_GAIN`: otherwise nothing could be seen in the shadow of a
car."""
MAX_GAIN = 6

LABEL_SIZE = 15
"""Height of letters, in pixels."""
LABEL_PADDING = 6
LABEL_COLOUR = BACKGROUND
LABEL_SHADE = 0.35
"""Fraction of a picture's brightness that is left under a label on it."""


def worst_places(
    predicted: np.ndarray, truth: np.ndarray, count: int, size: tuple[int, int]
) -> list[Box]:
    """Boxes where two masks differ most: the densest first, none over another.

    The density at a point is the number of wrong pixels in the box round it, those near its middle
    counting more (a box filter applied twice, at half the box's size), so that what is wrong is in
    the middle of its box. Boxes are taken greedily and lie within the frame.

    Args:
        predicted: bool (height, width).
        truth: bool (height, width).
        count: How many boxes at most.
        size: Height and width of a box, in pixels; cut to the mask's.

    Returns:
        As many boxes as there are with anything wrong in them.
    """
    height, width = (min(side, frame) for side, frame in zip(size, truth.shape, strict=True))
    density = (predicted != truth).astype(np.float32)
    kernel = (max(width // 2, 1), max(height // 2, 1))
    for _ in range(2):
        density = cv2.boxFilter(
            density, cv2.CV_32F, kernel, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    # By top left corner, for all boxes that lie within the frame.
    rows, columns = truth.shape[0] - height + 1, truth.shape[1] - width + 1
    density = density[height // 2 :, width // 2 :][:rows, :columns].copy()
    places: list[Box] = []
    while len(places) < count:
        top, left = map(int, np.unravel_index(density.argmax(), density.shape))
        if density[top, left] < 1:
            break
        places.append(Box(top, left, top + height, left + width))
        density[
            max(top - height + 1, 0) : top + height, max(left - width + 1, 0) : left + width
        ] = 0
    return places


def place_size(photo_width: int) -> tuple[int, int]:
    """Height and width of the places of a photo, in its pixels.

    About 1/`PLACE_FRACTION` of its width, and such that a whole number of times fills a cell.
    """
    zoom = min(max(round(PLACE_CELL[1] * PLACE_FRACTION / photo_width), 1), MAX_ZOOM)
    return PLACE_CELL[0] // zoom, PLACE_CELL[1] // zoom


def enlarged(crop: np.ndarray) -> np.ndarray:
    """A place with its pixels as squares, as large as its cell allows."""
    zoom = min(cell // side for cell, side in zip(PLACE_CELL, crop.shape[:2], strict=True))
    return crop.repeat(zoom, axis=0).repeat(zoom, axis=1)


def photo_place(photo: np.ndarray, box: Box, label: str) -> np.ndarray:
    """Enlarge a place of the photo, with a scale, and brighter where it is dark."""
    crop = box.of(photo)
    brightest = float(np.percentile(crop, 99))
    if brightest < DARK_LEVEL:
        gain = min(round(2 * DARK_LEVEL / max(brightest, 1)), MAX_GAIN)
        crop = np.minimum(crop * np.float32(gain), 255).astype(np.uint8)
        label += f", {gain}× brighter"
    return labelled(_with_scale_bar(enlarged(crop), box), label)


def with_boxes(picture: np.ndarray, photo_width: int, boxes: Sequence[Box]) -> np.ndarray:
    """Numbered boxes drawn on the picture of a whole photo, in place."""
    scale = picture.shape[1] / photo_width
    for number, box in enumerate(boxes, start=1):
        top, left = round(box.top * scale), round(box.left * scale)
        bottom, right = round(box.bottom * scale), round(box.right * scale)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), PLACE, 2)
        side = LABEL_SIZE + LABEL_PADDING
        top = top - side if top >= side else bottom
        cv2.rectangle(picture, (left - 1, top), (left + side, top + side), PLACE, cv2.FILLED)
        middle = (top + side // 2, left + side // 2)
        write(picture, str(number), middle, LABEL_SIZE, bold=True, anchor="mm")
    return picture


def labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """A label in the upper left corner of a picture, drawn in place."""
    height = LABEL_SIZE + 2 * LABEL_PADDING
    width = text_width(label, LABEL_SIZE) + 2 * LABEL_PADDING
    corner = picture[:height, :width]
    corner[:] = corner * np.float32(LABEL_SHADE)
    write(picture, label, (height // 2, LABEL_PADDING), LABEL_SIZE, LABEL_COLOUR)
    return picture


def _with_scale_bar(picture: np.ndarray, box: Box) -> np.ndarray:
    """A bar of a round number of the photo's pixels in the lower left corner, drawn in place."""
    zoom = picture.shape[1] // box.width
    length = _round_length(box.width / 4)
    text = f"{length} px"
    height = LABEL_SIZE + 2 * LABEL_PADDING
    width = length * zoom + text_width(text, LABEL_SIZE) + 3 * LABEL_PADDING
    corner = picture[-height:, :width]
    corner[:] = corner * np.float32(LABEL_SHADE)
    middle = picture.shape[0] - height // 2
    picture[middle - 2 : middle + 2, LABEL_PADDING : LABEL_PADDING + length * zoom] = LABEL_COLOUR
    write(picture, text, (middle, length * zoom + 2 * LABEL_PADDING), LABEL_SIZE, LABEL_COLOUR)
    return picture


def _round_length(most: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, … that is no more than ``most``; at least 1."""
    power = 10 ** max(int(np.floor(np.log10(max(most, 1)))), 0)
    return max(step * power for step in (1, 2, 5) if step * power <= max(most, 1))
