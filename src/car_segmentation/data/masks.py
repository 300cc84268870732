"""Read masks: which pixels are the object, and of which nobody said what they are.

**A mask means what every viewer shows, and bright is the object.**

1. An alpha channel, in any form, is the mask if it varies; otherwise what is opaque counts.
2. A palette counts by its colours, and by its indices only where the colours are alike. Numbers in
   parameters are indices of palettes with colours, and levels of those of greys alone.
3. Of two values, whatever their depth and range, the dark one is background: it has at most a
   quarter of the other's brightness. One value alone is background if it is 0 or black, and the
   object otherwise.
4. Further values that fill no areas of their own, but lie between the two in value, are soft edges,
   and are the object from half of the brightest on.
5. Whatever else can be read in two ways is refused, with the values found and the parameters that
   choose.
"""

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import (
    NO_PIXEL_LIMIT,
    Limits,
    UnusableImage,
    of_file,
    open_image,
)
from car_segmentation.data.label_map import LABEL_MAP, read_label_map
from car_segmentation.data.mask_values import (
    Levels,
    are_alike,
    levels_of_colours,
    levels_of_numbers,
    refuse_grey,
    tell_object,
)

BACKGROUND, IGNORED, FOREGROUND = 0, 128, 255
"""Values of the masks that this program writes; IGNORED is where nobody said what it is."""
OWN_MASK = "0 background, 128 ignored, 255 foreground"
"""The comment in such a file."""
LOSSY_BLACK, LOSSY_DARK = 16, 64
"""Compression makes black up to so bright; an image that is not brighter has no bright part."""
COLOUR_STEP = 64
"""Steps in which colours of an image with many are looked at."""
Value = int | float | str


@dataclass(frozen=True)
class MaskReading:
    """The user's rules for the values of masks.

    Attributes:
        foreground: What is cut out: numbers, colours (``'#rrggbb'``), names of `classes`; or
            ``bright``, ``dark`` or ``alpha`` for what these say. None: what the rule says.
        ignore: Values of pixels of which nobody said what they are.
        classes: Colours (``'#rrggbb'``) of the names that may stand for them.
    """

    foreground: tuple[Value, ...] | Literal["bright", "dark", "alpha"] | None = None
    ignore: tuple[Value, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """True if the user left everything to the default rule."""
        return self.foreground is None and not self.ignore


PLAIN = MaskReading()


class Mask(NamedTuple):
    """A mask at native size.

    Attributes:
        foreground: bool (height, width), True on the object.
        ignored: bool (height, width), True where nobody said what it is; None for nowhere.
        values: What it was read from, in words.
        object_value: The value of the object, where there is one in addition to the background's.
    """

    foreground: np.ndarray
    ignored: np.ndarray | None = None
    values: str = ""
    object_value: str = ""

    def zero_where_ignored(self, probability: np.ndarray) -> np.ndarray:
        """A probability map (height, width) that is background wherever nobody said what it is.

        There the mask is background, too: a true negative, which Dice and its kin do not count.
        """
        if self.ignored is None:
            return probability
        return np.where(self.ignored, 0, probability).astype(probability.dtype)


@dataclass(frozen=True)
class MaskRules:
    """Options for reading the masks of a data set.

    Attributes:
        reading: What the user says about their values.
        max_megapixels: Larger masks are refused before they are decoded.
        max_grey_share: See `decode_mask`.
        keeps_ignored: Whether there may be pixels of which nobody said what they are.
    """

    reading: MaskReading = PLAIN
    max_megapixels: float = float("inf")
    max_grey_share: float = 0.05
    keeps_ignored: bool = False

    def read(self, path: Path) -> Mask:
        """Read a mask; see `decode_mask`."""
        return decode_mask(path, self.reading, Limits(self.max_megapixels), self.max_grey_share)


PLAIN_RULES = MaskRules()


def read_mask(path: Path | bytes) -> np.ndarray:
    """Read a mask that was checked before as bool (height, width), True on the object.

    Raises:
        UnusableImage: If the file cannot be read.
    """
    return read_truth(path).foreground


def read_truth(path: Path | bytes) -> Mask:
    """Read a mask that was checked before, with what is ignored of it.

    Raises:
        UnusableImage: If the file cannot be read.
    """
    with of_file(path) if isinstance(path, Path) else nullcontext():
        try:
            return decode_mask(path, max_grey=1.0)
        except UnusableImage:
            # Masks of earlier versions were not checked as strictly.
            return decode_mask(path, replace(PLAIN, foreground="bright"), max_grey=1.0)


def decode_mask(
    source: Path | bytes,
    reading: MaskReading = PLAIN,
    limits: Limits = NO_PIXEL_LIMIT,
    max_grey: float = 0.05,
) -> Mask:
    """Read a mask by the rule above, or as the user says.

    Args:
        source: A file, or its content.
        reading: What the user says.
        limits: Larger masks are refused before they are decoded.
        max_grey: Largest fraction of pixels, 0 to 1, that may lie between a tenth and nine tenths
            of the brightest where the user says nothing.

    Raises:
        UnusableImage: If the file cannot be read, or can be read in several ways.
    """
    opened = open_image(source, limits)
    image = opened.upright()
    if opened.header.info.get("Comment") == OWN_MASK:
        values = np.asarray(image)
        ignored = values == IGNORED
        return Mask(values == FOREGROUND, ignored if ignored.any() else None)
    alpha = _alpha(image)
    if reading.foreground == "alpha" or (reading.foreground is None and alpha is not None):
        if alpha is None:
            raise UnusableImage("has no alpha channel that varies (masks.foreground is alpha)")
        if reading.foreground is None:
            _refuse_black_and_white_cut_out(image, alpha)
        image = Image.fromarray(alpha)
    if reading.foreground in {"bright", "dark"}:
        brightness = _brightness(image)
        bright = brightness > brightness.max() // 2
        return Mask(bright if reading.foreground == "bright" else ~bright)
    levels = None if opened.is_lossy else _levels(image)
    if levels is None:
        if reading.ignore or isinstance(reading.foreground, tuple):
            raise UnusableImage(
                "does not have the values of masks.foreground and masks.ignore alone: compression "
                "or soft edges changed them (masks.foreground: bright is one way to read it)"
            )
        return Mask(_told_by_brightness(image, opened.is_lossy, max_grey), None, "soft or lossy")
    ignored = _is_among(levels, reading.ignore, reading, "masks.ignore")
    if isinstance(reading.foreground, tuple):
        is_object = _is_among(levels, reading.foreground, reading, "masks.foreground") & ~ignored
    else:
        rest = replace(levels, counts=np.where(ignored, 0, levels.counts))
        is_object = np.zeros_like(ignored)
        if len(rest.present):
            is_object = tell_object(rest, max_grey) & ~ignored
    objects = [levels.name(it) for it in levels.present if is_object[it]]
    return Mask(
        levels[is_object],
        levels[ignored] if ignored[levels.present].any() else None,
        ("alpha " if alpha is not None and reading.foreground in {None, "alpha"} else "")
        + ", ".join(levels.name(it) for it in levels.present[:4])
        + (" …" if len(levels.present) > 4 else ""),
        objects[0] if len(objects) == 1 and len(levels.present) <= 2 else "",
    )


def encode_mask(mask: Mask) -> bytes:
    """A mask as a file that is read as it was: PNG, 8 bits, `BACKGROUND` to `FOREGROUND`."""
    values = mask.foreground.astype(np.uint8) * np.uint8(FOREGROUND)
    if mask.ignored is not None:
        values[mask.ignored] = IGNORED
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", OWN_MASK)
    content = io.BytesIO()
    Image.fromarray(values).save(content, "PNG", pnginfo=said, compress_level=1)
    return content.getvalue()


def unite(masks: list[Mask]) -> Mask:
    """Several masks of one photo as one: what any of them cuts out, is cut out.

    Raises:
        UnusableImage: If their sizes differ.
    """
    if len({mask.foreground.shape for mask in masks}) > 1:
        sizes = sorted({f"{m.foreground.shape[1]}×{m.foreground.shape[0]}" for m in masks})
        raise UnusableImage(f"are of different sizes: {', '.join(sizes)} pixels")
    foreground = np.logical_or.reduce([mask.foreground for mask in masks])
    planes = [mask.ignored for mask in masks if mask.ignored is not None]
    ignored = np.logical_or.reduce(planes) & ~foreground if planes else None
    return Mask(foreground, ignored, masks[0].values)


def read_class_colours(folders: Sequence[Path]) -> dict[str, str]:
    """Colours (``'#rrggbb'``) of classes, from the first folder that has a ``labelmap.txt``.

    Raises:
        UserError: If it is something else.
    """
    path = next((it / LABEL_MAP for it in folders if (it / LABEL_MAP).is_file()), None)
    try:
        colours = {} if path is None else read_label_map(path)
    except ValueError as error:
        raise UserError(f"{path} {error}. Fix it, or move it away.") from None
    return {name: "#{:02x}{:02x}{:02x}".format(*colour) for colour, name in colours.items()}


def _alpha(image: Image.Image) -> np.ndarray | None:
    """The alpha channel, uint8 (height, width), in whatever form; None if it does not vary."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return alpha if alpha.min() < alpha.max() else None


def _refuse_black_and_white_cut_out(image: Image.Image, alpha: np.ndarray) -> None:
    """Refuse a black and white mask that is also a cut-out: both could be meant."""
    opaque = np.asarray(image.convert("RGB"))[alpha > 127]
    black, white = (np.all(opaque == value, axis=1).mean() for value in (0, 255))
    if black + white == 1 and min(black, white) > 0.01:
        raise UnusableImage(
            f"can be read in two ways: its alpha channel covers {np.mean(alpha > 127):.0%} of it, "
            f"and {white:.0%} of that is white and the rest black. Write masks.foreground: alpha, "
            "or masks.foreground: bright"
        )


def _levels(image: Image.Image) -> Levels | None:
    """The image's values; None if there are too many."""
    if image.mode == "P":
        colours = np.zeros((256, 3), np.uint8)
        entries = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        colours[: len(entries)] = entries
        codes, counts = np.asarray(image), np.array(image.histogram())
        used = np.flatnonzero(counts[: len(entries)])
        if np.ptp(colours.astype(int), axis=1).any() or are_alike(entries, used):
            return Levels(codes, np.arange(256.0), colours, counts)
        greys = colours[:, 0]  # As any grey image.
        counts = np.bincount(greys, counts, 256).astype(int)
        return Levels(cv2.LUT(codes, greys), np.arange(256.0), None, counts)
    if image.mode == "1":
        return levels_of_numbers(np.asarray(image).astype(np.uint8))
    if image.mode in {"L", "I", "F"} or image.mode.startswith("I;"):
        return levels_of_numbers(np.asarray(image))
    if image.mode in {"LA", "La"}:
        return levels_of_numbers(np.asarray(image.convert("LA").getchannel("L")))
    rgb = np.asarray(image.convert("RGB"))
    is_grey = np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2])
    return levels_of_numbers(rgb[..., 0].copy()) if is_grey else levels_of_colours(rgb)


def _brightness(image: Image.Image) -> np.ndarray:
    """The brightest channel, uint8 (height, width); of more than 8 bits, 255 is the brightest."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        values = np.nan_to_num(np.asarray(image).astype(np.float64))
        low, high = min(values.min(), 0.0), values.max()
        return ((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in {"L", "LA", "La"}:
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB")).max(axis=2)


def _told_by_brightness(image: Image.Image, is_lossy: bool, max_grey: float) -> np.ndarray:
    """The object of an image of many values, by the rule."""
    brightness = _brightness(image)
    brightest = int(brightness.max())
    if is_lossy and brightest <= LOSSY_BLACK:
        return np.zeros(brightness.shape, bool)
    if is_lossy and brightest < LOSSY_DARK:
        raise UnusableImage(
            f"is dark all over: its brightest pixel is {brightest} of 255. Numbers of classes do "
            "not survive compression: save masks as PNG"
        )
    areas = _colours_of_areas(np.asarray(image.convert("RGB"))) if image.mode == "RGB" else []
    if len(areas) > 2:
        raise UnusableImage(
            f"holds several colours (about {', '.join(areas)}), and compression or soft edges "
            "mixed them. Save it as PNG without either and name what is cut out in "
            "masks.foreground, or write masks.foreground: bright for all that is brighter than "
            "half of the brightest"
        )
    counts = np.bincount(brightness.ravel(), minlength=256)
    # Compression rings: single pixels are brighter than what is bright.
    top = brightest // 2 + int(counts[brightest // 2 :].argmax()) if is_lossy else brightest
    refuse_grey(np.arange(256.0), counts, 0, top, max_grey)
    return brightness > top // 2


def _colours_of_areas(rgb: np.ndarray) -> list[str]:
    """Colours, in coarse steps, that fill areas of an image; neighbours count as one."""
    steps = (rgb.astype(np.uint16) + COLOUR_STEP // 2) // COLOUR_STEP
    codes = (steps[..., 0] * 25 + steps[..., 1] * 5 + steps[..., 2]).astype(np.uint8)
    square = np.ones((5, 5), np.uint8)
    inside = cv2.erode(codes, square) == cv2.dilate(codes, square)
    counts = np.bincount(codes[inside], minlength=125)
    apart: list[np.ndarray] = []
    for code in np.argsort(-counts):
        colour = np.array([code // 25, code // 5 % 5, code % 5])
        if counts[code] < max(25, codes.size // 2000):
            break
        if all(np.abs(colour - other).max() > 1 for other in apart):
            apart.append(colour)
    return ["#{:02x}{:02x}{:02x}".format(*np.minimum(it * COLOUR_STEP, 255)) for it in apart]


def _is_among(
    levels: Levels, wanted: tuple[Value, ...], reading: MaskReading, parameter: str
) -> np.ndarray:
    """Which of an image's values a parameter lists, bool (values,)."""
    among = np.zeros(len(levels.counts), bool)
    for value in wanted:
        text = reading.classes.get(value, value) if isinstance(value, str) else value
        if isinstance(text, str):
            if re.fullmatch("#[0-9a-fA-F]{6}", text) is None:
                known = ", ".join(reading.classes) or f"there is no {LABEL_MAP}"
                raise UserError(
                    f"{parameter}: '{value}' is not a number, a colour such as '#804000' or the "
                    f"name of a class ({known})."
                )
            rgb = np.array(list(bytes.fromhex(text[1:])))
            if levels.colours is not None:
                among |= np.abs(levels.colours.astype(int) - rgb).max(axis=1) <= 1
            elif levels.numbers is not None and np.ptp(rgb) == 0:
                among |= levels.numbers == rgb[0]
        elif levels.numbers is None:
            raise UnusableImage(
                f"holds colours, and {parameter} has the number {value:g}: write colours such as "
                f"{levels.name(int(levels.present[-1]))}"
            )
        else:
            among |= np.isclose(levels.numbers, value, rtol=1e-6, atol=1e-9)
    return among
