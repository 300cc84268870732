"""Where the errors lie: how far from the true edge, and regions of wrong pixels with their causes.

Masks are bool (height, width) at native size; ``edge_distance`` is float32 (height, width), the
distance in pixels from every pixel to the nearest pixel of the true mask's edge
(`mask_geometry.distance_to` of `edge_pixels`), infinite where the mask is empty.

**Regions.** False positives and false negatives are divided apart. What lies farther than
`JITTER_REACH` from the true edge, or in a thin structure, or in a hole, is core. Cores and the
wrong pixels within `GROWTH` of them make the regions (8-connected). What remains is a thin band
along the edge: one region of edge jitter for each kind of error.

**Classes** are rules in the order of `ErrorClass`; the first that matches wins. Lengths are
fractions of the photo's diagonal, so that the rules hold at any size; after each is what it comes
to at 1918×1280. They were set by eye on real photos: how often they agree with a person is in
docs/results.md.
"""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from car_segmentation.data.boxes import Box
from car_segmentation.evaluation.mask_geometry import disc, grown, holes

DISTANCE_BINS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, math.inf)
"""Bounds of the bins of `error_distances`, pixels; a bin has its lower bound, not its upper."""

JITTER_REACH = 0.0022
"""Errors up to this far from the true edge are its jitter; fraction of the diagonal (5 px)."""
GROWTH = 0.003
"""Wrong pixels up to this far from a core belong to its region; fraction of the diagonal (7 px)."""
THIN_WIDTH = 0.006
"""Narrower parts are thin: antennas, roof racks; fraction of the diagonal (14 px)."""
THIN_REACH = 0.0022
"""Thin parts reach at least this far out of the rest; fraction of the diagonal (5 px)."""
BESIDE = 0.005
"""Errors this near to a hole or a thin structure are at it; fraction of the diagonal (12 px)."""
MAJORITY = 0.5
"""A rule about where a region lies holds if at least this fraction of its pixels lies there."""
GROUND_ZONE = 0.6
"""The ground is near below this fraction of the car's height, from its top."""
DARK = 40.0
"""A region in the car's shadow is darker than this; median CIE L*, 0 to 100."""
LOW_CONTRAST = 5.0
"""Colours of the edge's two sides that are no farther apart than this are alike; CIE 1976 ΔE."""
PART_DEPTH = 0.009
"""Errors that reach this far from the true edge are parts; fraction of the diagonal (21 px)."""
SIDE_GAP = 0.001
"""Pixels this near to the true edge have both sides' colours; fraction of the diagonal (2.3 px)."""
SIDE_DEPTH = 0.005
"""Depth to which a side of the edge is examined; fraction of the diagonal (12 px)."""


class ErrorClass(StrEnum):
    """Classes of wrong regions, in the order in which the rules are tried."""

    FRAME = "frame border"
    """It touches the photo's frame."""
    THIN = "thin structure"
    """It is in or beside a part of the truth that an opening by `THIN_WIDTH` removes."""
    HOLE = "wheel gap or see-through hole"
    """It fills a hole of the truth, or lies beside one."""
    GROUND = "ground shadow"
    """It is dark, low on the car, has the car above it in its columns and only floor below."""
    LOW_CONTRAST = "low contrast"
    """The photo's colours on both sides of the true edge are alike (`LOW_CONTRAST`)."""
    MISSED = "missed part"
    """Car that was not found, reaching at least `PART_DEPTH` from the true edge."""
    SPURIOUS = "spurious part"
    """Background taken for car, reaching at least `PART_DEPTH` from the true edge."""
    JITTER = "edge jitter"
    """The rest."""


@dataclass(frozen=True)
class ErrorRegion:
    """A region of wrong pixels.

    Attributes:
        error_class: What it is.
        false_positive: Taken for car and is not; otherwise car that was not found.
        area: Pixels.
        top, left, bottom, right: The box around it, pixels; bottom and right are exclusive.
        depth_px: The largest distance of its pixels from the true edge.
        contrast: CIE 1976 ΔE between the two sides of the true edge beside it; NaN where it was
            not needed or there is no edge near.
        dice_cost: What it takes from the photo's Dice: area / (2·TP + FP + FN).
    """

    error_class: ErrorClass
    false_positive: bool
    area: int
    top: int
    left: int
    bottom: int
    right: int
    depth_px: float
    contrast: float
    dice_cost: float

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self) | {"error_class": str(self.error_class)}


def error_distances(
    predicted: np.ndarray, truth: np.ndarray, edge_distance: np.ndarray
) -> dict[str, np.ndarray]:
    """Count wrong pixels by their distance from the true edge.

    The edge runs between pixels, half a pixel outside the centres of the mask's edge pixels: the
    first layer of pixels on either side is half a pixel away.

    Returns:
        ``false_positives`` and ``false_negatives``, int64 (7,) each: pixels in each bin of
        `DISTANCE_BINS`. Sums over photos give the fraction of wrong pixels within each distance.

    Example:
        >>> truth = np.array([[True, True, False, False]])
        >>> distance = np.array([[1, 0, 1, 2]], np.float32)
        >>> counts = error_distances(np.array([[True, False, True, True]]), truth, distance)
        >>> counts["false_positives"]
        array([1, 1, 0, 0, 0, 0, 0])
        >>> counts["false_negatives"]
        array([1, 0, 0, 0, 0, 0, 0])
    """
    return {
        "false_positives": _binned(edge_distance[predicted & ~truth] - 0.5),
        "false_negatives": _binned(edge_distance[truth & ~predicted] + 0.5),
    }


def _binned(distance: np.ndarray) -> np.ndarray:
    # Only infinity lies in no half-open bin, and belongs to the last.
    index = np.digitize(distance, DISTANCE_BINS[:-1]) - 1
    return np.bincount(index, minlength=len(DISTANCE_BINS) - 1)


def error_regions(
    photo: np.ndarray, predicted: np.ndarray, truth: np.ndarray, edge_distance: np.ndarray
) -> list[ErrorRegion]:
    """Divide the wrong pixels of a photo into regions and name a cause for each.

    Args:
        photo: uint8 RGB (height, width, 3).
        predicted: bool (height, width).
        truth: bool (height, width).
        edge_distance: See the module's docstring.

    Returns:
        The regions, the largest first. Each wrong pixel is in one of them.
    """
    if not truth.shape == predicted.shape == photo.shape[:2] == edge_distance.shape:
        raise ValueError(
            f"photo, predicted, truth and edge_distance have shapes {photo.shape}, "
            f"{predicted.shape}, {truth.shape} and {edge_distance.shape}"
        )
    wrong = np.count_nonzero(predicted ^ truth)
    if not wrong:
        return []
    total = int(2 * np.count_nonzero(predicted & truth) + wrong)
    margin = math.ceil((SIDE_GAP + SIDE_DEPTH) * math.hypot(*truth.shape)) + 1
    box = Box.around(predicted | truth, margin)
    scene = _Scene(
        photo=box.of(photo),
        predicted=box.of(predicted),
        truth=box.of(truth),
        edge_distance=box.of(edge_distance),
        box=box,
        shape=truth.shape,
        total=total,
    )
    regions = _regions_of(scene, True) + _regions_of(scene, False)
    return sorted(regions, key=lambda region: -region.area)


@dataclass(frozen=True)
class _Scene:
    """Inputs of the rules, cropped to a box around the car, for speed.

    Attributes:
        box: The box in the photo.
        shape: Height and width of the whole photo.
        total: 2·TP + FP + FN of the photo.
    """

    photo: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray
    edge_distance: np.ndarray
    box: Box
    shape: tuple[int, ...]
    total: int

    def pixels(self, fraction: float) -> float:
        """A fraction of the photo's diagonal, in pixels."""
        return fraction * math.hypot(*self.shape)

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance from the true edge, which runs between pixels, in pixels."""
        return self.edge_distance + (self.truth.view(np.int8) - np.float32(0.5))

    @cached_property
    def hole(self) -> np.ndarray:
        """Holes of the truth."""
        return holes(self.truth)

    @cached_property
    def at_hole(self) -> np.ndarray:
        """Holes of the truth and what is beside them."""
        return grown(self.hole, self.pixels(BESIDE))

    @cached_property
    def thin(self) -> np.ndarray:
        """Thin structures of the truth."""
        return _thin_parts(self.truth, self.pixels(THIN_WIDTH), self.pixels(THIN_REACH))

    @cached_property
    def at_thin(self) -> np.ndarray:
        """Thin structures of the truth and what is beside them, holes apart."""
        return grown(self.thin, self.pixels(BESIDE)) & ~self.hole

    @cached_property
    def ground_row(self) -> float:
        """The row below which the ground is near."""
        car = self.truth if self.truth.any() else self.predicted
        rows = np.flatnonzero(car.any(axis=1))
        return float(rows[0] + GROUND_ZONE * (rows[-1] - rows[0]))

    @cached_property
    def underside(self) -> np.ndarray:
        """The lowest row in each column that is rightly car; below all rows where none is."""
        right = self.predicted & self.truth
        lowest = len(right) - 1 - right[::-1].argmax(axis=0)
        return np.where(right.any(axis=0), lowest, len(right))


def _regions_of(scene: _Scene, false_positives: bool) -> list[ErrorRegion]:
    """The regions of one kind of error."""
    if false_positives:
        wrong, special = scene.predicted & ~scene.truth, scene.hole
    else:
        wrong, special = scene.truth & ~scene.predicted, scene.thin
    if not wrong.any():
        return []
    core = wrong & (special | (scene.depth > scene.pixels(JITTER_REACH)))
    near_core = wrong & grown(core, scene.pixels(GROWTH))
    _, parts = cv2.connectedComponents(near_core.view(np.uint8), connectivity=8)
    rows, columns = np.nonzero(wrong)
    part = parts[rows, columns]
    # What is near a core and does not touch it is jitter, as is what is near none.
    part[~np.isin(part, part[core[rows, columns]])] = 0

    top, left = scene.box.top, scene.box.left
    regions = []
    for index in np.unique(part):
        y, x = rows[part == index], columns[part == index]
        depth, contrast = float(scene.depth[y, x].max()), math.nan
        if index == 0:
            error_class = ErrorClass.JITTER
        else:
            error_class, contrast = _classify(scene, y, x, false_positives, depth)
        regions.append(
            ErrorRegion(
                error_class=error_class,
                false_positive=false_positives,
                area=len(y),
                top=int(y.min()) + top,
                left=int(x.min()) + left,
                bottom=int(y.max()) + top + 1,
                right=int(x.max()) + left + 1,
                depth_px=depth,
                contrast=contrast,
                dice_cost=len(y) / scene.total,
            )
        )
    return regions


def _classify(
    scene: _Scene, rows: np.ndarray, columns: np.ndarray, false_positive: bool, depth: float
) -> tuple[ErrorClass, float]:
    """The first rule that matches, and the contrast if a rule needed it."""

    def mostly(pixels: np.ndarray) -> bool:
        return bool(pixels.mean() >= MAJORITY)

    contrast = math.nan
    if _touches_frame(scene, rows, columns):
        error_class = ErrorClass.FRAME
    elif mostly(scene.at_thin[rows, columns]):
        error_class = ErrorClass.THIN
    elif mostly(scene.at_hole[rows, columns]):
        error_class = ErrorClass.HOLE
    elif (
        rows.mean() > scene.ground_row
        and mostly(rows > scene.underside[columns])
        and np.median(_lab(scene.photo[rows, columns][np.newaxis])[..., 0]) < DARK
    ):
        error_class = ErrorClass.GROUND
    elif (contrast := _contrast(scene, rows, columns)) <= LOW_CONTRAST:
        error_class = ErrorClass.LOW_CONTRAST
    elif depth >= scene.pixels(PART_DEPTH):
        error_class = ErrorClass.SPURIOUS if false_positive else ErrorClass.MISSED
    else:
        error_class = ErrorClass.JITTER
    return error_class, contrast


def _touches_frame(scene: _Scene, rows: np.ndarray, columns: np.ndarray) -> bool:
    height, width = scene.shape
    at_row = np.isin(rows + scene.box.top, (0, height - 1))
    at_column = np.isin(columns + scene.box.left, (0, width - 1))
    return bool(at_row.any() or at_column.any())


def _thin_parts(mask: np.ndarray, width: float, reach: float) -> np.ndarray:
    """The parts that an opening by a disc of the given width removes.

    Only those that reach farther out of the rest than ``reach``: an opening also rounds every
    corner and evens every step of the edge.
    """
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, disc(width / 2)).view(bool)
    removed = mask & ~opened
    far_out = removed & ~grown(opened, reach)
    if not far_out.any():
        return far_out
    number, parts = cv2.connectedComponents(removed.view(np.uint8), connectivity=8)
    is_thin = np.zeros(number, bool)
    is_thin[parts[far_out]] = True
    return is_thin[parts]


def _lab(photo: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of uint8 sRGB (height, width, 3), float32."""
    return cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _contrast(scene: _Scene, rows: np.ndarray, columns: np.ndarray) -> float:
    """CIE 1976 ΔE between the median colours of both sides of the true edge beside a region.

    CIE 1976 is the Euclidean distance in CIE L*a*b* (D65); about 2.3 can just be seen.
    """
    if scene.depth[rows, columns].min() > scene.pixels(JITTER_REACH):
        return math.nan  # It is nowhere near the edge.
    near, far = scene.pixels(SIDE_GAP), scene.pixels(SIDE_GAP + SIDE_DEPTH)
    reach = math.ceil(far)
    around = (
        slice(max(int(rows.min()) - reach, 0), int(rows.max()) + reach + 1),
        slice(max(int(columns.min()) - reach, 0), int(columns.max()) + reach + 1),
    )
    distance, truth = scene.edge_distance[around], scene.truth[around]
    region = np.zeros(truth.shape, np.uint8)
    region[rows - around[0].start, columns - around[1].start] = 1
    beside = cv2.dilate(region, disc(far)).view(bool) & (distance >= near) & (distance <= far)
    if not (beside & truth).any() or not (beside & ~truth).any():
        return math.nan
    lab = _lab(scene.photo[around])
    inner, outer = (np.median(lab[beside & side], axis=0) for side in (truth, ~truth))
    return float(np.linalg.norm(inner - outer))
