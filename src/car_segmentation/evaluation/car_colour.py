"""A car's colour, measured from its photos.

Not all of a car shows its colour: glass, tyres and the grille are dark on any car, and its sides
mirror the floor, the wall and the lamps. So colour is measured in the middle of the car's height,
between windows and wheels, away from the outline; a few numbers are taken from each photo, and
their medians over all views of a car name its colour. The numbers are in CIELAB, for which distance
is close to what the eye sees: lightness L* from 0 to 100, and a* (green to red) and b* (blue to
yellow), whose length is the chroma.

The limits below were fixed on photos in an evenly lit studio. In other light, white balance and
exposure shift them. A faint tint (champagne, bluish silver) counts as its grey.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from car_segmentation.data.boxes import Box

UNKNOWN = "unknown"

SAMPLE_WIDTH = 480
"""About how wide the photo is sampled, in pixels."""
MARGIN = 3
"""Pixels of the sample by which the mask is shrunk, where car and background mix."""
COLOUR_BAND = (0.3, 0.7)
"""Where colour is measured: from and to, as fractions of the car's height from its top."""

COLOURED_CHROMA = 12.0
"""Chroma from which a pixel is coloured rather than grey."""
COLOURED_FRACTION = 0.25
"""Fraction of coloured pixels from which a car is coloured; the others mirror what is grey."""
GREY_FROM, SILVER_FROM, WHITE_FROM = 34.0, 68.0, 86.0
"""Median lightness of cars without colour; below the first, they are black."""

HUES_FROM = -20.0
HUES = (
    (50.0, "red"),
    (80.0, "orange"),
    (115.0, "yellow"),
    (190.0, "green"),
    (310.0, "blue"),
    (340.0, "purple"),
)
"""Hues, atan2(b*, a*) in degrees counted from `HUES_FROM`, up to which a colour has its name."""
EARTHY_CHROMA = 30.0
"""Below this chroma, orange and yellow are beige or brown."""
BEIGE_FROM = 55.0
"""Lightness from which they are beige."""


@dataclass(frozen=True)
class CarColour:
    """The colour of a car in one photo, or in the median over several.

    Attributes:
        lightness: Median L*, 0 to 100.
        coloured_fraction: Fraction of pixels with at least `COLOURED_CHROMA`, 0 to 1.
        red: Mean a* of those pixels; below 0 it is green.
        yellow: Mean b* of those pixels; below 0 it is blue.
    """

    lightness: float
    coloured_fraction: float
    red: float
    yellow: float

    @property
    def name(self) -> str:
        """The colour in a word."""
        if self.coloured_fraction < COLOURED_FRACTION:
            return _grey_name(self.lightness)
        hue = math.degrees(math.atan2(self.yellow, self.red))
        hue = (hue - HUES_FROM) % 360 + HUES_FROM
        name = next(name for limit, name in HUES if hue <= limit)
        if name in {"orange", "yellow"} and math.hypot(self.red, self.yellow) < EARTHY_CHROMA:
            return "beige" if self.lightness >= BEIGE_FROM else "brown"
        return name


def measure_colour(photo: np.ndarray, mask: np.ndarray) -> CarColour | None:
    """Measure the colour of the car in a photo.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: bool (height, width).

    Returns:
        The measures, or None where the mask is empty or too thin to have a middle.
    """
    step = max(1, round(photo.shape[1] / SAMPLE_WIDTH))
    sampled = np.ascontiguousarray(mask[::step, ::step])
    if not sampled.any():
        return None
    box = Box.around(sampled)
    band = slice(*(box.top + round(part * box.height) for part in COLOUR_BAND))
    square = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    inner = cv2.erode(sampled.view(np.uint8), square).view(bool)[band]
    if not inner.any():
        return None
    pixels = np.ascontiguousarray(photo[::step, ::step][band], np.float32) / 255
    lightness, red, yellow = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[inner].T
    coloured = np.hypot(red, yellow) >= COLOURED_CHROMA
    return CarColour(
        lightness=float(np.median(lightness)),
        coloured_fraction=float(coloured.mean()),
        red=float(red[coloured].mean()) if coloured.any() else 0.0,
        yellow=float(yellow[coloured].mean()) if coloured.any() else 0.0,
    )


def colour_of_cars(colours: pd.DataFrame) -> pd.Series:
    """The colour of each car, from the medians over all its photos.

    Args:
        colours: ``car`` and the fields of `CarColour`, a row per photo; NaN where a photo shows
            none.

    Returns:
        The name of the colour by car, ``unknown`` where no photo of it shows any.
    """
    fields = list(CarColour.__dataclass_fields__)
    medians = colours.groupby("car")[fields].median()
    names = {
        car: UNKNOWN if values.isna().any() else CarColour(*values.tolist()).name
        for car, values in medians.iterrows()
    }
    return pd.Series(names, name="colour", dtype=object)


def _grey_name(lightness: float) -> str:
    if lightness < GREY_FROM:
        return "black"
    if lightness < SILVER_FROM:
        return "grey"
    return "silver" if lightness < WHITE_FROM else "white"
