"""Shapes of masks: discs, holes, largest parts. Masks are bool (height, width)."""

import math

import cv2
import numpy as np


def disc(radius: float) -> np.ndarray:
    """A structuring element, uint8: a disc of at least the given radius, in pixels."""
    side = 2 * math.ceil(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def grown(mask: np.ndarray, by: float) -> np.ndarray:
    """A mask and what is around it, within so many pixels."""
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


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part (8-connected) of a mask; nothing of an empty one."""
    _, parts = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    return mask & (parts == np.bincount(parts[mask], minlength=2).argmax())
