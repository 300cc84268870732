"""Geometry of masks: edges and distances to them, holes, largest parts.

Masks are bool (height, width).
"""

import math

import cv2
import numpy as np

FOUR_NEIGHBOURS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
"""A pixel with those above, below, left and right of it."""


def edge_pixels(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that have a 4-neighbour outside it.

    What lies beyond the frame counts as outside: a car that the frame cuts has an edge there.

    Args:
        mask: bool (height, width).

    Returns:
        bool (height, width).

    Example:
        >>> edge_pixels(np.ones((3, 4), bool)).astype(int)
        array([[1, 1, 1, 1],
               [1, 0, 0, 1],
               [1, 1, 1, 1]])
    """
    return near_outside(mask, FOUR_NEIGHBOURS)


def near_outside(mask: np.ndarray, element: np.ndarray) -> np.ndarray:
    """The pixels of a mask round which a structuring element holds one outside it; bool.

    What lies beyond the frame counts as outside.
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    core = cv2.erode(pixels, element, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.not_equal(pixels, core)


def distance_to(pixels: np.ndarray) -> np.ndarray:
    """Distance of each pixel from the nearest of the given ones.

    Args:
        pixels: bool (height, width).

    Returns:
        float32 (height, width): exact Euclidean distance between pixel centres, in pixels; 0 on
        the pixels themselves, infinite where there are none.
    """
    if not pixels.any():
        return np.full(pixels.shape, np.inf, np.float32)
    return cv2.distanceTransform((~pixels).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def disc(radius: float) -> np.ndarray:
    """A structuring element, uint8: a disc of at least the given radius, in pixels."""
    side = 2 * math.ceil(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def grown(mask: np.ndarray, by: float) -> np.ndarray:
    """A mask and what is around it, within a distance in pixels."""
    return cv2.dilate(mask.view(np.uint8), disc(by)).view(bool)


def holes(mask: np.ndarray) -> np.ndarray:
    """Background that the mask encloses (4-connected); what touches the frame is not enclosed.

    Example:
        >>> ring = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
        >>> holes(ring).astype(int)
        array([[0, 0, 0, 0],
               [0, 1, 0, 0],
               [0, 0, 0, 0]])
    """
    background = np.pad((~mask).view(np.uint8), 1, constant_values=1)
    cv2.floodFill(background, None, (0, 0), 0)
    return background[1:-1, 1:-1].view(bool)


def largest_part(mask: np.ndarray, joined_by: np.ndarray | None = None) -> np.ndarray:
    """The largest connected part (8-connected) of a mask; nothing of an empty one.

    Args:
        mask: bool (height, width).
        joined_by: A larger mask, whose parts make those of the mask one; None: the mask itself.
    """
    whole = mask if joined_by is None else joined_by
    _, parts = cv2.connectedComponents(whole.view(np.uint8), connectivity=8)
    return mask & (parts == np.bincount(parts[mask], minlength=2).argmax())
