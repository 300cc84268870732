"""The shadow under an object, as a soft layer: a photo divided by its floor without the shadow.

A studio's floor is smooth: what it would look like without the object is a smooth surface through
the floor around, fitted so that what is darker than its surroundings, the shadow, does not count.
"""

import cv2
import numpy as np

WORKING_SIDE = 480
"""Longest side, in pixels, at which a shadow is estimated: it has no finer detail worth keeping."""
FLOOR_TOP = 0.55
"""Where the floor ends that is looked at: so much of the object's height above its lowest pixel."""
REACH = 0.45
"""Reach of a shadow, in heights of the object; it fades over half of it."""
SIDE_REACH = 0.6
"""Width of the floor examined on its left and right, in heights of the object."""
DEGREE = 3
"""Of the polynomial that is the floor."""
ROUNDS = 12
"""Of fitting; after these no floor in the studios looked at moved by a level."""
NOISE = 0.02
"""Darker than the floor by less than this fraction, or than its own stains, is no shadow."""
PENUMBRA, PENUMBRA_DEPTH = 6.0, 0.2
"""A shadow is smoothed by so many working pixels (standard deviation) from this distance on, in
heights of the object: it is soft there, and what is not is the floor's."""
DARKEST = 0.92
"""Opacity of a shadow at most: floors in full shadow still have some light."""
BORDER = 0.04
"""Within this fraction of the photo's side from its border, a shadow fades: it goes on outside."""


def shadow_of(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Estimate the shadow that an object casts on a smooth floor.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: bool (height, width), True on the object.

    Returns:
        Opacity of black, float32 (height, width), 0 to 1: the floor times one less it is what the
        photo shows. 0 where there is no object, and far from it. Under the object it is as at the
        object's edge.
    """
    height, width = mask.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    if not (covered > 0.5).any():
        return np.zeros((height, width), np.float32)
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    opacity = _small_shadow(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32), covered)
    opacity = cv2.resize(opacity, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(opacity, 0, 1)


def lay_on_shadow(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay a cut-out on its shadow.

    Args:
        picture: uint8 RGBA (height, width, 4), alpha not premultiplied.
        opacity: float32 (height, width), 0 to 1.

    Returns:
        uint8 RGBA (height, width, 4): where only the shadow is seen, black of its opacity.
    """
    alpha = picture[..., 3].astype(np.float32) / 255
    both = alpha + opacity * (1 - alpha)
    share = alpha / np.maximum(both, np.float32(1e-6))
    result = np.empty_like(picture)
    result[..., :3] = np.rint(picture[..., :3] * share[..., np.newaxis])
    result[..., 3] = np.rint(both * 255)
    result[result[..., 3] == 0] = 0
    return result


def _small_shadow(brightness: np.ndarray, covered: np.ndarray) -> np.ndarray:
    thing = (covered > 0.5).astype(np.uint8)
    left, top, thing_width, thing_height = cv2.boundingRect(thing)
    bottom = top + thing_height
    # One pixel of those that are partly covered is neither floor nor thing.
    free = cv2.dilate((covered > 0.02).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    rows, columns = np.mgrid[: thing.shape[0], : thing.shape[1]].astype(np.float32)
    zone = (
        (rows > bottom - FLOOR_TOP * thing_height)
        & (rows < bottom + REACH * thing_height)
        & (columns > left - SIDE_REACH * thing_height)
        & (columns < left + thing_width + SIDE_REACH * thing_height)
    )
    if np.count_nonzero(zone & free) < 10 * (DEGREE + 1) ** 2:
        return np.zeros(thing.shape, np.float32)
    distance = cv2.distanceTransform(1 - thing, cv2.DIST_L2, cv2.DIST_MASK_5) / thing_height
    floor, stains = _fit_floor(
        brightness, rows, columns, zone & free, np.minimum(distance / REACH, 1)
    )
    noise = np.maximum(NOISE, stains / np.maximum(floor, 1))
    opacity = 1 - brightness / np.maximum(floor, 1)
    opacity = np.clip((opacity - noise) / np.maximum(1 - noise, 0.1), 0, DARKEST)
    opacity = _continue_under(opacity, free)
    # Joints and marks of the floor are thin.
    opacity = cv2.medianBlur((opacity * 255).astype(np.uint8), 5).astype(np.float32) / 255
    sharp, soft = (cv2.GaussianBlur(opacity, (0, 0), sigma) for sigma in (1.0, PENUMBRA))
    softness = smooth_step(distance / PENUMBRA_DEPTH)
    opacity = (1 - softness) * sharp + softness * soft
    up = (bottom - rows) / thing_height
    fade = (
        smooth_step(2 * (1 - distance / REACH))
        * smooth_step((FLOOR_TOP - up) / (FLOOR_TOP / 2))
        * _fade_at_border(thing.shape)
    )
    return np.asarray(opacity * fade, np.float32)


def _fit_floor(
    brightness: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    seen: np.ndarray,
    trust: np.ndarray,
) -> tuple[np.ndarray, float]:
    """A polynomial of rows and columns through a floor, whatever lies darker on it.

    Fitted by iteratively reweighted least squares: residuals count by Cauchy's weight, those of
    darker pixels by a narrower one, and pixels far from the object more than near ones.

    Returns:
        The floor's brightness, and by how many levels the floor itself varies about it.
    """
    terms = _terms(rows, columns, seen)
    of_seen, values = terms[seen], brightness[seen]
    own = 0.05 + trust[seen]
    weights = own
    for _ in range(ROUNDS):
        root = np.sqrt(weights)[:, np.newaxis]
        # Few unknowns: by normal equations, without threads. LAPACK starts some for each of its
        # many small steps, which wait for one another where other threads work on other photos.
        _, solution = cv2.solve(
            of_seen * root, values[:, np.newaxis] * root, flags=cv2.DECOMP_NORMAL | cv2.DECOMP_SVD
        )
        residual = values - _sum(of_seen, solution)
        spread = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
        width = np.where(residual < 0, spread, 2 * spread)
        weights = own / (1 + (residual / width) ** 2)
    return np.asarray(_sum(terms, solution), np.float32), spread


def _sum(terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("...t,t", terms, weights[:, 0]))


def _terms(rows: np.ndarray, columns: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Products of Chebyshev's polynomials, (height, width, terms), of the part that is seen."""
    axes = []
    for axis in (rows, columns):
        low, high = float(axis[seen].min()), float(axis[seen].max())
        axes.append(np.clip((2 * axis - low - high) / max(1.0, high - low), -1, 1))
    vandermonde = np.polynomial.chebyshev.chebvander2d(axes[0], axes[1], [DEGREE, DEGREE])
    pairs = [(a, b) for a in range(DEGREE + 1) for b in range(DEGREE + 1)]
    return np.asarray(vandermonde[..., [a + b <= DEGREE for a, b in pairs]])


def _continue_under(opacity: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Opacity where the floor is not seen: that of the nearest place where it is."""
    _, labels = cv2.distanceTransformWithLabels(
        (~free).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(labels.max() + 1, np.float32)
    nearest[labels[free]] = opacity[free]
    return np.asarray(nearest[labels])


def _fade_at_border(shape: tuple[int, ...]) -> np.ndarray:
    ends = []
    for length in shape:
        place = np.arange(length) + 0.5
        ends.append(smooth_step(np.minimum(place, length - place) / max(1.0, BORDER * length)))
    return np.outer(*ends)


def smooth_step(value: np.ndarray) -> np.ndarray:
    """From 0 at 0 to 1 at 1, without corners."""
    clipped = np.clip(value, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped))
