"""Random crops of photos, most of them near the car's edge, where there is most left to learn."""

import cv2
import numpy as np

OFF_CENTRE = 0.4
"""Largest distance of the edge from a crop's centre, as a fraction of its sides."""


def crop_corner(
    mask: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    edge_probability: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """The top left pixel (x, y) of a random crop that lies inside the warped photo.

    Args:
        mask: uint8 (height, width), 0 to 255, not warped.
        matrix: The warp, from `draw_warp`.
        size: Height and width of the crop in pixels, at most those of the mask.
        edge_probability: How often the crop is centred near a point of the mask's edge; otherwise
            it is anywhere.
        rng: Decides where it lies.
    """
    sides = np.array(size[::-1])
    room = np.array(mask.shape[::-1]) - sides
    # Always the same number of draws, so that one setting does not change another's.
    at_edge, point = rng.random(2)
    anywhere = rng.uniform(0, room)
    off_centre = rng.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * sides
    edge = _edge_pixels(mask)
    if at_edge >= edge_probability or not len(edge):
        return np.round(anywhere)
    y, x = divmod(int(edge[int(point * len(edge))]), mask.shape[1])
    return np.round(np.clip(matrix @ [x, y, 1] + off_centre - sides / 2, 0, room))


def _edge_pixels(mask: np.ndarray) -> np.ndarray:
    """Positions in the flattened mask where car and background meet."""
    contrast = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.flatnonzero(contrast > np.iinfo(np.uint8).max // 2)
