"""Cut-outs: a photo's car alone, with a soft edge and without the background's colour."""

import cv2
import numpy as np

from car_segmentation.data.boxes import Box

EDGE_WIDTH = 1.5
"""Pixels over which the edge goes from clear to solid."""
SOILED_DEPTH, CLEAN_DEPTH = 3.0, 5.0
"""Pixels inside the edge up to which colours are cleaned in full, and from which they are kept:
near it, lens, JPEG and a mask that is slightly too large mix the background in."""
COLOUR_REACH = 2.0
"""Standard deviation, in pixels, of the neighbourhood that tells the colours on both sides."""
DEPTH_POWER = 6
"""A pixel's weight in it is its depth to this power."""
TILE = 512
"""Side of the squares in which colours are cleaned, in pixels."""
TILE_MARGIN = 32
"""Reach of other pixels into a pixel: a neighbourhood of four standard deviations, and depths in
it; more than enough."""


def cut_out(photo: np.ndarray, probability: np.ndarray, threshold: float) -> np.ndarray:
    """Cut the car out of a photo.

    Args:
        photo: uint8 RGB (height, width, 3).
        probability: float32 (height, width), 0 to 1.
        threshold: Probability at the edge.

    Returns:
        uint8 RGBA (height, width, 4), alpha not premultiplied; all 0 where nothing is seen.
    """
    alpha = np.rint(soft_alpha(probability, threshold) * 255).astype(np.uint8)
    picture = np.zeros((*alpha.shape, 4), np.uint8)
    if alpha.any():
        # The margin shows colours and edge from outside.
        seen = Box.around(alpha > 0, margin=1).slices
        picture[seen][..., :3] = clean_edge_colours(photo[seen], probability[seen] >= threshold)
    picture[..., 3] = alpha
    picture[alpha == 0] = 0
    return picture


def soft_alpha(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Opacity, float32 (height, width), 0 to 1; one half where the probability is the threshold.

    The distance to the edge is estimated from the probability and its slope, so that the edge is
    equally soft all along, however unsure the network is of it, and right to parts of a pixel.
    """
    across = cv2.Scharr(probability, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(probability, cv2.CV_32F, 0, 1, scale=1 / 32)
    slope = np.maximum(cv2.magnitude(across, down), np.float32(1e-4))
    distance = (probability - np.float32(threshold)) / slope
    return np.clip(distance / np.float32(EDGE_WIDTH) + np.float32(0.5), 0, 1)


def clean_edge_colours(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the background's colour out of the pixels at a mask's edge.

    Each is thought of as a mixture of the colour deep inside the mask and the one well outside it,
    both from around the pixel, and loses its part of the latter; what else it shows stays. Thin
    parts have no deep inside: they take the colour along their middle for it.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: bool (height, width).

    Returns:
        uint8 RGB (height, width, 3), as the photo from `CLEAN_DEPTH` pixels inside the mask on;
        black far outside it.
    """
    clean = np.where(mask[..., np.newaxis], photo, np.uint8(0))
    height, width = mask.shape
    # Only tiles with an edge in them have work, and memory is that of a tile.
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            rows, above = _with_margin(top, height)
            columns, before = _with_margin(left, width)
            region = mask[rows, columns]
            if region.any() and not region.all():
                tile = _clean_tile(photo[rows, columns], region)
                clean[top : top + TILE, left : left + TILE] = tile[
                    above : above + TILE, before : before + TILE
                ]
    return clean


def _with_margin(start: int, length: int) -> tuple[slice, int]:
    """A tile along an axis with all that its pixels look at, and where in that it begins."""
    begin = max(0, start - TILE_MARGIN)
    return slice(begin, min(length, start + TILE + TILE_MARGIN)), start - begin


def _clean_tile(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    depth, inside = _depth_and_colour(photo, mask)
    _, outside = _depth_and_colour(photo, ~mask)
    towards_background = outside - inside
    length = np.maximum(np.sum(towards_background**2, axis=2), 1)
    fraction = np.sum((photo - inside) * towards_background, axis=2) / length
    near_edge = (CLEAN_DEPTH - depth) / (CLEAN_DEPTH - SOILED_DEPTH)
    removed = (np.clip(fraction, 0, 1) * np.clip(near_edge, 0, 1))[..., np.newaxis]
    # Under the soft edge outside the mask, nothing of the photo is worth keeping.
    clean = np.where(mask[..., np.newaxis], photo - removed * towards_background, inside)
    return np.rint(clean).clip(0, 255).astype(np.uint8)


def _depth_and_colour(photo: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth in a region, up to `CLEAN_DEPTH`, and the colours deep in it around each pixel."""
    depth = cv2.distanceTransform(region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    depth = np.minimum(depth, np.float32(CLEAN_DEPTH))
    weight = cv2.merge(3 * [depth**DEPTH_POWER])
    colours = cv2.GaussianBlur(weight * photo, (0, 0), COLOUR_REACH)
    total = cv2.GaussianBlur(weight, (0, 0), COLOUR_REACH)
    return depth, colours / np.maximum(total, np.float32(1e-6))
