"""Draws simple 3-D cars on a studio turntable: photos with exact masks, and no download.

The cars are far plainer than real ones, so a score on them says nothing about a model's quality.
Lengths are metres. In a car, x points forward, y left and z up, from the floor below its middle.
Photo and mask come from the same polygons. The camera stands above the roof, so painting the parts
from the floor up hides what must be hidden, and a gap is seen through as nothing is painted there.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]
Part = tuple[Floats, Floats]  # points (rows, columns, 3), finishes of the faces between them

VIEWS = 16  # per car: the turntable turns by 22.5 degrees from one to the next

PALE_PAINTS = ((0.95, 0.95, 0.94), (0.88, 0.89, 0.90), (0.81, 0.82, 0.82))
STRONG_PAINTS = (
    *((0.07, 0.07, 0.08), (0.33, 0.35, 0.38), (0.58, 0.07, 0.08), (0.08, 0.18, 0.45)),
    *((0.12, 0.27, 0.20), (0.55, 0.45, 0.33), (0.80, 0.48, 0.10)),
)
# Finishes: red, green, blue and gloss, each from 0 to 1. Nothing is painted where there is air.
AIR = (np.nan, np.nan, np.nan, np.nan)
GLASS, TRIM, RIM = (0.10, 0.12, 0.13, 1.0), (0.10, 0.10, 0.11, 0.2), (0.66, 0.67, 0.69, 0.5)
HEADLIGHT, TAILLIGHT, PLATE = (0.66, 0.7, 0.74, 1.0), (0.6, 0.05, 0.06, 0.8), (0.9, 0.9, 0.86, 0.1)
TYRE, INTERIOR = (0.12, 0.12, 0.12, 0.0), (0.09, 0.09, 0.09, 0.0)

# A car from its side, rear to front: corners at x, and z as a share of the height.
LENGTH, AXLE, WHEEL_RADIUS, ARCH_RADIUS, TYRE_WIDTH, SPOKES = 4.5, 1.3, 0.33, 0.37, 0.21, 7
DECK = np.array([(-2.25, 0.62), (-2.1, 0.67), (1, 0.65), (1.8, 0.61), (2.15, 0.57), (2.25, 0.52)])
ESTATE_ROOF = np.array([(-2.3, 0.3), (-2.1, 0.98), (-0.5, 1.02), (0.4, 0.99), (1.65, 0.45)])
SALOON_ROOF = np.array([(-2.5, 0.45), (-1.1, 0.97), (-0.3, 1.02), (0.4, 0.99), (1.65, 0.45)])
PILLARS = np.array([-1.0, -0.9, -0.05, 0.05])
ROUNDNESS = 6  # of its outline from above: 2 is an ellipse, infinity a rectangle
# From its front: columns of points, up from the sill and then across to the middle of the roof.
SILL_TO_DECK = np.array([0, 0.13, 0.30, 0.45, 0.62, 0.78, 0.93, 1])
DECK_TO_ROOF = np.array([0.06, 0.90, 1, 1, 1, 1])
ACROSS = np.array([*(8 * [1]), *(3 * [0.97]), 0.86, 0.58, 0.2])
CROWN = 0.05  # by how much that middle is higher
TRIM_FACE, GRILLE_FACES, LIGHTS_FACE, WINDOW_FACE, SCREEN_FACES = 0, np.s_[3:5], 5, 8, np.s_[11:]
HEIGHTS, WIDTHS = (0.10, 0.25, 0.45, 0.66, 1.00), (0.94, 0.99, 1.00, 0.95, 0.72)  # shares

# The camera; its right, down and forward; and the way to the lamp. They stand, the car turns.
EYE = np.array([8.5, 0, 2.3], np.float32)
AXES = np.array([(0, 1, 0), (0.191, 0, -0.982), (-0.982, 0, -0.191)], np.float32)
LAMP = np.array([0.56, -0.4, 0.73])
SUPERSAMPLING, FRACTION_BITS = 3, 4  # cv2 takes coordinates as binary fractions


@dataclass(frozen=True)
class DemoCar:
    """One car: everything that stays the same in its 16 views.

    Attributes:
        paint: Red, green and blue, each from 0 to 1.
        width: Across the doors, in metres.
        height: From the floor to the roof, without rack and antenna, in metres.
        boot: The shape of the tail, from 0, as steep as an estate's, to 1, as long as a saloon's.
        antenna: Whether a thin antenna stands on the roof.
        roof_rack: Whether the roof carries a rack of thin bars, with a gap below them.
        open_windows: Whether the side windows are open, so that the studio is seen through them.
    """

    paint: tuple[float, float, float]
    width: float
    height: float
    boot: float
    antenna: bool
    roof_rack: bool
    open_windows: bool


def car_id(seed: int, index: int) -> str:
    """Name a car of a set by 12 lower-case hexadecimal digits, as Carvana does."""
    return hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=6).hexdigest()


def draw_car(seed: int, index: int) -> DemoCar:
    """Choose a car at random; any 8 cars in a row show every hard case.

    Args:
        seed: The seed of the set, not negative.
        index: The car's place in the set, from 0.

    Returns:
        A car, the same one for the same arguments.
    """
    rng = np.random.default_rng([seed, index])
    paints = STRONG_PAINTS if index % 3 else PALE_PAINTS
    return DemoCar(
        paint=paints[rng.integers(len(paints))],
        width=rng.uniform(1.72, 1.92),
        height=rng.uniform(1.4, 1.75),
        boot=rng.uniform(),
        antenna=index % 2 == 0,
        roof_rack=index % 5 == 0,
        open_windows=index % 4 == 0,
    )


def render_view(
    car: DemoCar, view: int, height: int = 320, width: int = 480, seed: int = 0
) -> tuple[Bytes, Bytes]:
    """Photograph a car.

    Args:
        car: The car.
        view: 1 to 16: 1 shows the front, 5 the left side, 9 the rear, 13 the right side.
        height: Photo height in pixels, best two thirds of the width.
        width: Photo width in pixels.
        seed: The seed of the sensor noise, not negative.

    Returns:
        The photo, RGB, uint8 (height, width, 3), and its mask, uint8 (height, width): 255 where
        the car covers at least half of the pixel, else 0.

    Raises:
        ValueError: If there is no such view.
    """
    if not 1 <= view <= VIEWS:
        raise ValueError(f"view is {view}; it must lie between 1 and {VIEWS}.")
    angle, focal = 2 * np.pi * (view - 1) / VIEWS, 1.5 * min(width, 1.5 * height)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([(cos, -sin, 0), (sin, cos, 0), (0, 0, 1)], np.float32)
    canvas = np.zeros((SUPERSAMPLING * height, SUPERSAMPLING * width, 4), np.uint8)
    for points, finish in _parts(car, turn @ EYE):
        _paint(canvas, points @ turn, finish, SUPERSAMPLING * focal)
    cut_out = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
    rgb, coverage = cut_out[..., :3], cut_out[..., 3:]
    noise = np.random.default_rng([seed, view]).standard_normal(rgb.shape, np.float32) / 128
    photo = rgb + (1 - coverage) * _studio(car, turn, focal, height, width)[..., None] + noise
    mask = np.where(coverage[..., 0] >= 0.5, 255, 0)
    return (255 * photo).round().clip(0, 255).astype(np.uint8), mask.astype(np.uint8)


def _parts(car: DemoCar, eye: Floats) -> list[Part]:
    """The parts of a car, in the order in which the eye (3,) wants them painted."""
    far_x, far_y = -np.copysign([AXLE, 0.48 * car.width], eye[:2])
    points, finish = skin = _skin(car)
    inside = points[:, ::-1], np.where(np.isnan(finish), AIR, INTERIOR)[:, ::-1]
    far_wheels, near_wheels = ([_wheel(x, y) for x in (far_x, -far_x)] for y in (far_y, -far_y))
    chassis = _box((0, 0, 0.5), (3.9, 0.96 * car.width - 2 * TYRE_WIDTH, 0.5))
    parts = [inside, *far_wheels, chassis, *near_wheels, skin]
    if car.roof_rack:
        bar, sides, top = 0.035, (-0.5, 0.5), 1.02 * car.height + 0.08
        parts += [_box((-0.35, y, top), (1.1, bar, bar)) for y in sides]
        for x in (-0.9, -0.35, 0.2):
            parts += [_box((x, y, top - 0.08), (bar, bar, 0.16)) for y in sides]
            parts.append(_box((x, 0, top), (bar, 1 + bar, bar)))
    if car.antenna:
        parts.append(_box((-1.0, 0, _roof(car, -1.0).item() + 0.22), (0.012, 0.012, 0.45)))
    return parts


def _skin(car: DemoCar) -> Part:
    """Body and cabin: rings across the car, each from the left sill over the top to the right."""
    ends = LENGTH / 2 * (1 - np.linspace(0, 1, 13) ** ROUNDNESS) ** (1 / ROUNDNESS)
    arches = AXLE + ARCH_RADIUS * np.array([-1.02, *np.cos(np.linspace(np.pi, 0, 17)), 1.02])
    half = np.concatenate([ends, arches, np.linspace(0, 2, 20)])
    x = np.unique(np.concatenate([half, -half, PILLARS]))[:, None]
    end = (2 * np.abs(x) / LENGTH) ** ROUNDNESS
    plan = (1 - end) ** (1 / ROUNDNESS)

    to_axle = np.abs(np.abs(x) - AXLE)
    arch = WHEEL_RADIUS + np.sqrt((ARCH_RADIUS**2 - to_axle**2).clip(0))
    sill = np.where(to_axle <= ARCH_RADIUS, arch, 0.14 * car.height + 0.1 * end)
    deck = car.height * np.interp(x, *DECK.T)
    roof = np.maximum(_roof(car, x) - CROWN, deck)
    z = np.hstack([sill + (deck - sill) * SILL_TO_DECK, deck + (roof - deck) * DECK_TO_ROOF])
    y = car.width / 2 * plan * np.interp(z / car.height, HEIGHTS, WIDTHS) * ACROSS
    left = np.dstack(np.broadcast_arrays(x, y, z + CROWN * (1 - ACROSS**2)))
    points = np.hstack([left, left[:, ::-1] * [1, -1, 1]])

    slope, cabin = (np.diff(roof, axis=0) / np.diff(x, axis=0))[:, 0], (roof > deck)[1:, 0]
    x, plan = (x[1:, 0] + x[:-1, 0]) / 2, (plan[1:, 0] + plan[:-1, 0]) / 2
    finish = np.full((len(x), len(ACROSS), 4), (*car.paint, 0.8))
    finish[:, TRIM_FACE] = TRIM
    finish[(plan < 0.6) & (x > 0), GRILLE_FACES] = TRIM
    finish[(plan < 0.25) & (x < 0), GRILLE_FACES] = PLATE
    finish[(plan > 0.5) & (x > 2), LIGHTS_FACE] = HEADLIGHT
    finish[(plan > 0.5) & (x < -2), LIGHTS_FACE] = TAILLIGHT
    # Where the roof is still low 0.2 m further back, there is the rear pillar.
    glazed = (_roof(car, x - 0.2) > 0.8 * car.height) | (x > 0)
    finish[glazed, WINDOW_FACE] = AIR if car.open_windows else GLASS
    finish[np.searchsorted(PILLARS, x) % 2 == 1, WINDOW_FACE] = TRIM
    finish[cabin & (np.abs(slope) > 0.3), SCREEN_FACES] = GLASS
    return points, np.hstack([finish, finish[:, -2::-1]])


def _roof(car: DemoCar, x: ArrayLike) -> Floats:
    """Height of the middle of the roof, whose corners a moving average makes round."""
    line = ESTATE_ROOF + car.boot * (SALOON_ROOF - ESTATE_ROOF)
    around = np.add.outer(np.linspace(-0.15, 0.15, 9), x)
    return np.asarray(car.height * np.interp(around, *line.T).mean(axis=0))


def _wheel(x: float, y: float) -> Part:
    """A wheel, turned on a lathe, from its hub outside, which is at y, to its hub inside."""
    radii = WHEEL_RADIUS * np.array([0, 0.18, 0.60, 0.68, 0.92, 1, 1, 0])[:, None]
    depths = TYRE_WIDTH * np.array([0.1, 0.1, 0.15, 0.05, 0, 0.12, 1, 1])[:, None]
    angle = np.sign(y) * np.linspace(0, 2 * np.pi, 4 * SPOKES + 1)
    z = WHEEL_RADIUS + radii * np.sin(angle)
    points = np.broadcast_arrays(x + radii * np.cos(angle), y - np.sign(y) * depths, z)
    finish = np.full((len(radii) - 1, 4 * SPOKES, 4), TYRE)
    finish[:3] = RIM
    finish[1] = SPOKES * [RIM, RIM, TRIM, TRIM]
    return np.dstack(points), finish


def _box(middle: ArrayLike, size: ArrayLike) -> Part:
    """A bar along an axis: a tube of four sides, its ends closed by shrinking them to a point."""
    tube = [(1, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)]
    ends = [(-1, 0), (-1, 1), (1, 1), (1, 0)]
    points = np.array([[(x, wide * y, wide * z) for y, z in tube] for x, wide in ends])
    return np.asarray(middle) + points * np.asarray(size) / 2, np.full((3, 4, 4), TRIM)


def _paint(canvas: Bytes, points: Floats, finish: Floats, focal: float) -> None:
    """Paint the faces that look at the camera, the farthest first."""
    corners = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], 2)
    normal = np.cross(corners[:, :, 2] - corners[:, :, 0], corners[:, :, 3] - corners[:, :, 1])
    to_eye = EYE - corners.mean(axis=2)
    seen = (np.vecdot(normal, to_eye) > 0) & ~np.isnan(finish[..., 0])
    order = np.argsort(-np.linalg.norm(to_eye[seen], axis=1))
    colours = _shade(finish[seen], _unit(normal[seen]), _unit(to_eye[seen]))[order]
    ahead = (corners[seen][order] - EYE) @ AXES.T
    pixels = focal * ahead[..., :2] / ahead[..., 2:] + (np.array(canvas.shape[1::-1]) - 1) / 2
    polygons = (pixels * (1 << FRACTION_BITS)).round().astype(np.int32)
    for polygon, colour in zip(polygons, colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, polygon, (*colour, 255), cv2.LINE_8, FRACTION_BITS)


def _shade(finish: Floats, normal: Floats, to_eye: Floats) -> Floats:
    """Light faces by a ceiling and a lamp, and mirror floor and wall in what is glossy."""
    up, facing = normal[:, 2], np.vecdot(normal, to_eye)
    light = 0.65 + 0.09 * up + 0.25 * (normal @ LAMP).clip(0)
    mirrored = np.interp(2 * facing * up - to_eye[:, 2], (-0.3, 0.2), (0.60, 0.93))
    highlight = np.vecdot(normal, _unit(LAMP + to_eye)).clip(0) ** 40
    shine = finish[:, 3] * ((0.07 + 0.5 * (1 - facing) ** 3) * mirrored + 0.3 * highlight)
    return np.asarray(finish[:, :3] * light[:, None] + shine[:, None]).clip(0, 1) * 255


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _studio(car: DemoCar, turn: Floats, focal: float, height: int, width: int) -> Floats:
    """Wall, floor, turntable and the car's shadow, grey, float32 (height, width), from 0 to 1."""
    right = np.arange(0.5 - width / 2, width / 2, dtype=np.float32) / focal
    down = np.arange(0.5 - height / 2, height / 2, dtype=np.float32)[:, None] / focal
    # Where the rays meet the floor, in the car's own x and y; all four quarters look the same.
    rays = np.tensordot(turn @ AXES.T, np.broadcast_arrays(right, down, np.float32(1)), 1)
    x, y = np.abs((turn @ EYE)[:2, None, None] + EYE[2] * rays[:2] / -rays[2].clip(max=-1e-3))
    to_rim = 2.9 - np.hypot(x, y)
    table = 0.08 * _soft(to_rim, 0.03) + 0.22 * _soft(0.03 - np.abs(to_rim), 0.04)
    below_car = _soft(LENGTH / 2 - x, 0.4) * _soft(car.width / 2 - y, 0.4)
    beside_tyre = np.abs(0.48 * car.width - TYRE_WIDTH / 2 - y) - TYRE_WIDTH / 2
    below_tyre = _soft(WHEEL_RADIUS - np.abs(AXLE - x), 0.15) * _soft(-beside_tyre, 0.15)
    wall_and_floor = np.interp(down, (-0.22, -0.06, 0.01, 0.22), (0.93, 0.87, 0.72, 0.60))
    light = wall_and_floor.astype(np.float32) * (0.99 + 0.12 * right) * (1 - table)
    return np.asarray(light * (1 - 0.72 * below_car) * (1 - 0.6 * below_tyre))


def _soft(inside: Floats, blur: float) -> Floats:
    """Cross an edge from 0 to 1, given how far inside of it one is."""
    ramp = (0.5 + inside / (2 * blur)).clip(0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))
