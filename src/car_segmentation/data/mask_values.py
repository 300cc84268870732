"""The values of a mask's image, whatever its encoding, and which of them are the object.

An image of few values is one of `Levels`: exact numbers or colours, told apart by codes. An image
of many (soft edges, JPEG) is judged by its brightness.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import cv2
import numpy as np
from PIL import Image

from car_segmentation.data.image_files import UnusableImage

MOST_LEVELS = 256
"""Distinct values up to which each is looked at by itself."""
MOST_STEPS = 64
"""Numbers of classes hardly reach it, soft edges and mattes exceed it."""
DARK = 0.25
"""A value is dark compared with another one up to this fraction of it."""
ALIKE = 8
"""Levels by which colours may differ in every channel that nobody could tell apart."""
SMALLEST_AREA = 9
"""Pixels inside a region of one value from which it is no edge but an area of its own."""
BETWEEN = 32
"""Largest distance, in levels, of a soft edge's colour from the line between two others."""
BAND = 1 << 18
"""Pixels that are looked at together."""
LISTED = 8
"""Values that a message names."""


@dataclass(frozen=True)
class Levels:
    """An image of few values.

    Attributes:
        codes: uint8 (height, width); positions in what follows.
        numbers: float64 (values,): grey levels, or a palette's indices; None for RGB images.
        colours: uint8 (values, 3); None for grey images.
        counts: Pixels of each value; 0 for those not to be considered.
        names: What the values are called in parameters, where it is not what they are.
        shown: uint8 (256,): values of codes where several codes are one value.
    """

    codes: np.ndarray
    numbers: np.ndarray | None
    colours: np.ndarray | None
    counts: np.ndarray
    names: Mapping[int, str] = field(default_factory=dict)
    shown: np.ndarray | None = None

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        """Pixels whose values are chosen: bool (values,) becomes bool (height, width)."""
        table = np.zeros(MOST_LEVELS, np.uint8)
        table[: len(chosen)] = chosen
        return cv2.LUT(self.codes, table).view(bool)

    @property
    def present(self) -> np.ndarray:
        """Codes of the values that there are."""
        return np.flatnonzero(self.counts)

    def name(self, code: int) -> str:
        """A value as it stands in parameters: a number, or ``'#rrggbb'``."""
        if code in self.names:
            return self.names[code]
        return self._hex(code) if self.numbers is None else f"{self.numbers[code]:g}"

    def described(self, codes: Sequence[int] | np.ndarray) -> str:
        """Values with their fractions of the image, such as ``0 (70%), 255 (30%)``."""
        total = self.counts.sum()
        listed = []
        for code in codes[:LISTED]:
            shown = "" if self.colours is None or self.numbers is None else f"{self._hex(code)}, "
            listed.append(f"{self.name(code)} ({shown}{_percent(self.counts[code] / total)})")
        return ", ".join(listed) + (
            f" and {len(codes) - LISTED} more" if len(codes) > LISTED else ""
        )

    def _hex(self, code: int) -> str:
        assert self.colours is not None
        return "'#{:02x}{:02x}{:02x}'".format(*self.colours[code])


def levels_of_numbers(values: np.ndarray) -> Levels | None:
    """Levels of a grey image, (height, width) of any type; None if there are too many.

    Raises:
        UnusableImage: If a number is not finite.
    """
    if values.dtype == np.uint8:
        counts = np.array(Image.fromarray(values).histogram())
        return Levels(values, np.arange(MOST_LEVELS, dtype=float), None, counts)
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise UnusableImage("is not a mask: it has values that are not numbers (NaN or infinite)")
    distinct = _distinct_numbers(values)
    if distinct is None:
        return None
    codes = np.searchsorted(distinct, values).astype(np.uint8)
    counts = np.array(Image.fromarray(codes).histogram()[: len(distinct)])
    return Levels(codes, distinct.astype(float), None, counts)


def levels_of_colours(rgb: np.ndarray) -> Levels | None:
    """Levels of a colour image, uint8 (height, width, 3); None if there are too many."""
    # Through a table of all colours: sorting would take seconds for a large image.
    seen = np.zeros(1 << 24, bool)
    for rows in _bands(rgb):
        seen[_packed(rows)] = True
    distinct = np.flatnonzero(seen)
    if len(distinct) > MOST_LEVELS:
        return None
    code_of = np.zeros(1 << 24, np.uint8)
    code_of[distinct] = np.arange(len(distinct))
    codes = np.concatenate([code_of[_packed(rows)] for rows in _bands(rgb)])
    counts = np.array(Image.fromarray(codes).histogram()[: len(distinct)])
    colours = np.stack([(distinct >> shift) & 255 for shift in (16, 8, 0)], axis=1)
    return Levels(codes, None, colours.astype(np.uint8), counts)


def tell_object(levels: Levels, max_grey: float) -> np.ndarray:
    """Which values are the object, bool (values,), where there is only one way to read them.

    Two values: the dark one is background. More: those that fill no areas are steps of a soft
    edge, and are the object from half of the brighter of the other two on.

    Args:
        levels: Of an image that no compression has changed.
        max_grey: Largest fraction of the image, 0 to 1, that may lie between a tenth and nine
            tenths of the way from dark to bright.

    Raises:
        UnusableImage: If there are several ways to read it, the message lists the values; or if
            it has too many grey pixels to be a mask.
    """
    palette = None if levels.numbers is None else levels.colours
    if palette is not None and are_alike(palette, levels.present):
        levels = replace(levels, colours=None)  # Then its numbers count.
    grey = _as_grey_levels(levels)
    if grey is not None:
        return tell_object(grey, max_grey)[_brightness(levels).astype(int)]
    brightness, present = _brightness(levels), levels.present
    if len(present) == 1:
        return brightness > 0
    if len(present) > MOST_STEPS and levels.colours is None:
        low, high = present[[0, -1]]  # A matte, or a picture.
        middle = (brightness > 0.1 * brightness[high]) & (brightness < 0.9 * brightness[high])
        if middle[_with_area(levels, least=levels.counts.sum() // 1000)].any():
            refuse(levels)
    else:
        areas = present if len(present) == 2 else _with_area(levels)
        if len(areas) < 2:  # Nothing but thin parts: a wire, a tiny object.
            areas = present[np.argsort(brightness[present])][[0, -1]]
            if len(present) > 2 and brightness[areas[1]] < MOST_STEPS:
                refuse(levels)
        low, high = areas[np.argsort(brightness[areas])][[0, -1]]
        is_clear = 0 <= brightness[low] <= DARK * brightness[high]
        if len(areas) > 2 or not is_clear or not _between(levels, low, high)[present].all():
            refuse(levels)
    refuse_grey(brightness, levels.counts, brightness[low], brightness[high], max_grey)
    return brightness > brightness[high] / 2


def refuse_grey(
    brightness: np.ndarray, counts: np.ndarray, dark: float, bright: float, max_grey: float
) -> None:
    """Refuse what has too many grey pixels to be a mask.

    Args:
        brightness: Of each value.
        counts: Pixels of each value.
        dark: The brightness of what is dark.
        bright: The brightness of what is bright.
        max_grey: See `tell_object`.
    """
    height = (brightness - dark) / (bright - dark) if bright > dark else np.zeros(len(counts))
    grey = counts[(height > 0.1) & (height < 0.9)].sum() / counts.sum()
    if grey > max_grey:
        raise UnusableImage(
            f"is not a mask: {grey:.0%} of its pixels are neither dark nor bright "
            f"(checks.max_grey_share is {max_grey:g}; masks.foreground: bright takes it as it is)"
        )


def refuse(levels: Levels) -> NoReturn:
    """Say which values there are, and how to say what they mean.

    Raises:
        UnusableImage: Always.
    """
    present = levels.present[np.argsort(_brightness(levels)[levels.present], kind="stable")]
    dark, *others = [levels.name(it) for it in present]
    readings = [f"masks.foreground: [{others[0]}] if that is cut out"]
    if len(others) > 1:
        readings += [
            f"[{others[0]}, {others[-1]}] if both are",
            f"and masks.ignore: [{others[-1]}] if nobody said what {others[-1]} is",
        ]
    else:
        readings += [f"[{dark}] if that is"]
    raise UnusableImage(
        f"can be read in several ways: it holds {levels.described(present)}. Write "
        f"{', '.join(readings)}; or masks.foreground: bright, for all that is brighter than half "
        "of the brightest"
    )


def _as_grey_levels(levels: Levels) -> Levels | None:
    """A palette of greys as the grey levels that it shows; None for any other image."""
    if levels.colours is None or levels.numbers is None:
        return None
    if np.ptp(levels.colours[levels.present].astype(int), axis=1).max() > ALIKE:
        return None
    shown = levels.colours.max(axis=1)
    counts = np.bincount(shown, levels.counts, MOST_LEVELS).astype(int)
    # Of several values that show the same, the first one gives the name.
    names = {int(shown[code]): levels.name(code) for code in levels.present[::-1]}
    return Levels(levels.codes, np.arange(float(MOST_LEVELS)), None, counts, names, shown)


def are_alike(palette: np.ndarray, used: np.ndarray) -> bool:
    """Whether nobody could tell the used colours of a palette apart; of one, all of the palette.

    Args:
        palette: uint8 (colours, 3).
        used: Positions in it.
    """
    shown = palette if len(used) == 1 else palette[used]
    return bool(np.ptp(shown.astype(int), axis=0).max() <= ALIKE)


def _brightness(levels: Levels) -> np.ndarray:
    """Brightness of each value, float64 (values,)."""
    if levels.colours is not None:
        return levels.colours.max(axis=1).astype(float)
    assert levels.numbers is not None
    return levels.numbers


def _with_area(levels: Levels, least: int = 0) -> np.ndarray:
    """Codes of values that fill areas, and are not mere steps of a soft edge."""
    square = np.ones((3, 3), np.uint8)
    codes = levels.codes if levels.shown is None else cv2.LUT(levels.codes, levels.shown)
    inside = cv2.erode(codes, square) == cv2.dilate(codes, square)
    counts = np.bincount(codes[inside], minlength=len(levels.counts))
    counts[levels.counts == 0] = 0
    return np.flatnonzero(counts >= max(SMALLEST_AREA, least))


def _between(levels: Levels, low: int, high: int) -> np.ndarray:
    """Which values may belong to a soft edge between two, bool (values,); the two included."""
    brightness = _brightness(levels)
    margin = 0.1 * (brightness[high] - brightness[low])
    between = (brightness >= brightness[low] - margin) & (brightness <= brightness[high] + margin)
    if levels.colours is None:
        return between
    start, end = levels.colours[[low, high]].astype(float)
    along = (levels.colours - start) @ (end - start) / ((end - start) @ (end - start))
    nearest = start + np.clip(along, 0, 1)[:, np.newaxis] * (end - start)
    return between & (np.abs(levels.colours - nearest).max(axis=1) <= BETWEEN)


def _distinct_numbers(values: np.ndarray) -> np.ndarray | None:
    """The distinct values in order; None if there are too many."""
    if values.dtype == np.uint16:
        distinct = np.flatnonzero(np.bincount(values.ravel(), minlength=65536)).astype(np.uint16)
        return distinct if len(distinct) <= MOST_LEVELS else None
    distinct = values[:0].ravel()
    for rows in _bands(values):
        distinct = np.union1d(distinct, np.unique(rows))
        if len(distinct) > MOST_LEVELS:
            return None
    return distinct


def _packed(rgb: np.ndarray) -> np.ndarray:
    """Each colour as one number."""
    red, green, blue = (rgb[..., channel].astype(np.uint32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def _bands(image: np.ndarray) -> Iterator[np.ndarray]:
    """An image in bands of rows, so that what is made of them takes little memory."""
    rows = max(1, BAND // image.shape[1])
    yield from (image[start : start + rows] for start in range(0, len(image), rows))


def _percent(fraction: float) -> str:
    if fraction < 0.001:
        return "<0.1%"
    return f"{fraction:.0%}" if fraction >= 0.01 else f"{fraction:.1%}"
