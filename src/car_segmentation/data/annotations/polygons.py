"""Polygons → pixels and back, by one rule: a pixel belongs to what holds its centre.

Coordinates are continuous, as COCO, CVAT, Label Studio and LabelMe have them: x to the right and y
down from the photo's top left corner, so that the pixel in column 3 covers x from 3 to 4 and its
centre is at 3.5. A centre that lies exactly on an outline counts as inside where the inside is to
its right, or below it along a horizontal line. Points enclosed an even number of times are outside
(the even-odd rule, that of LabelMe, CVAT and pycocotools).
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree
from skimage.measure import find_contours

FARTHEST = 1e6
"""Coordinates beyond this, in pixels either way, are no places in a photo."""
STRAIGHT = 1e-3
"""Largest distance, in pixels, from a line of a point that is left out of it."""


class Patch(NamedTuple):
    """A part of a photo: where its top left pixel is, and which of its pixels are covered."""

    top: int
    left: int
    pixels: np.ndarray


def fill_polygon(rings: Sequence[np.ndarray], height: int, width: int) -> Patch:
    """The pixels of a photo whose centre a polygon encloses.

    Args:
        rings: Closed outlines, float (points, 2) of x and y in pixels, without the first point
            repeated; holes are further rings, whichever way they turn.
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.

    Returns:
        The part of the photo that the polygon may cover, bool.

    Raises:
        ValueError: If a ring has fewer than three points, or a point that is not a place.

    Example:
        >>> fill_polygon([np.array([[1, 0], [3, 0], [3, 2], [1, 2]])], 3, 4)
        Patch(top=0, left=1, pixels=array([[ True,  True],
               [ True,  True]]))
    """
    edges = [_edges(np.asarray(ring, dtype=float)) for ring in rings]
    start, end = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    # Turned so that all point down: there and back on one line cancel out to the last digit.
    upward = (start[:, 1] > end[:, 1])[:, np.newaxis]
    start, end = np.where(upward, end, start), np.where(upward, start, end)

    first = np.clip(np.ceil(start[:, 1] - 0.5), 0, height).astype(int)
    after = np.clip(np.ceil(end[:, 1] - 0.5), 0, height).astype(int)
    crossed = after - first  # Rows whose centre line the edge crosses.
    edge = np.repeat(np.arange(len(crossed)), crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    x = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
    if not len(edge):
        return Patch(0, 0, np.zeros((0, 0), dtype=bool))
    top, left = int(row.min()), int(column.min())
    # From each crossing on, inside and outside change places.
    changes = np.zeros((row.max() - top + 1, column.max() - left + 1), dtype=np.uint8)
    np.bitwise_xor.at(changes, (row - top, column - left), 1)
    inside = np.bitwise_xor.accumulate(changes, axis=1)[:, :-1]
    return Patch(top, left, inside.astype(bool))


def fill_ellipse(
    centre: tuple[float, float],
    radii: tuple[float, float],
    rotation: float,
    height: int,
    width: int,
) -> Patch:
    """The pixels of a photo whose centre an ellipse encloses.

    Args:
        centre: x and y, in pixels.
        radii: Along the ellipse's own x and y axis, in pixels.
        rotation: Of these axes, in degrees, clockwise as the photo is seen.
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.

    Raises:
        ValueError: If a number is not finite, or a radius not positive.
    """
    if not np.isfinite([*centre, *radii, rotation]).all() or min(radii) <= 0:
        raise ValueError("an ellipse needs a centre and radii above 0")
    reach = max(radii)
    left, right = (int(np.clip(centre[0] + side * reach, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(centre[1] + side * reach, 0, height)) for side in (-1, 1))
    y, x = np.ogrid[top : min(bottom + 1, height), left : min(right + 1, width)]
    across, down = x + 0.5 - centre[0], y + 0.5 - centre[1]
    cosine, sine = np.cos(np.deg2rad(rotation)), np.sin(np.deg2rad(rotation))
    along_x = (across * cosine + down * sine) / radii[0]
    along_y = (down * cosine - across * sine) / radii[1]
    return Patch(top, left, along_x**2 + along_y**2 <= 1)


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The four corners of an upright rectangle, float (4, 2)."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def outlines(mask: np.ndarray, tolerance: float = 0.0) -> list[list[np.ndarray]]:
    """The outlines of a mask, one polygon for each connected part.

    They run between the pixels, so that `fill_polygon` gives the mask back to the pixel where
    ``tolerance`` is 0.

    Args:
        mask: Bool (height, width).
        tolerance: How far, in pixels, the outlines may be off, to have fewer points
            (Douglas and Peucker's simplification).

    Returns:
        For each part its outline and those of its holes, float (points, 2) of x and y in pixels.
    """
    number, parts, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )
    polygons = []
    for part in range(1, number):
        left, top, width, height, _ = boxes[part]
        pixels = parts[top : top + height, left : left + width] == part
        # Of pixels that touch at a corner only, the dark ones count as joined, as above.
        rings = [
            _simplified(ring[:-1, ::-1] + (left - 0.5, top - 0.5), tolerance)
            for ring in find_contours(np.pad(pixels, 1).astype(float), 0.5, fully_connected="low")
        ]
        rings.sort(key=lambda ring: -cv2.contourArea(ring.astype(np.float32)))
        polygons.append([rings[0], *(ring for ring in rings[1:] if len(ring) > 2)])
    return [polygon for polygon in polygons if len(polygon[0]) > 2]


def one_ring(rings: Sequence[np.ndarray]) -> np.ndarray:
    """A polygon with holes as one ring, for formats that know no holes.

    Each hole is joined to what is around it by a line of no width, there and back, between the two
    points that are nearest to each other.

    Args:
        rings: The outline, then those of its holes, float (points, 2).

    Returns:
        Float (points, 2).
    """
    ring = rings[0]
    for hole in rings[1:]:
        distance, nearest = cKDTree(ring).query(hole)
        there, here = int(np.argmin(distance)), int(nearest[np.argmin(distance)])
        around = np.roll(hole, -there, axis=0)
        ring = np.concatenate([ring[: here + 1], around, around[:1], ring[here:]])
    return ring


def _edges(ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
        raise ValueError("an outline needs three points or more, of x and y each")
    if not (np.abs(ring) <= FARTHEST).all():  # Not a number is not below, either.
        raise ValueError("an outline has a point that is far outside the photo or not a number")
    return ring, np.roll(ring, -1, axis=0)


def _simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    simple = cv2.approxPolyDP(ring.astype(np.float32), max(tolerance, STRAIGHT), closed=True)
    return simple[:, 0].astype(float)
