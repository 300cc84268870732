"""Text on pictures, in the font that matplotlib brings along: the same letters on every machine.

Text may be a file's name: what cannot be drawn in one line is written out (`core.text.printable`).
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from car_segmentation.core.text import printable
from car_segmentation.report.colours import BACKGROUND, INK, Colour

FONT_SIZE = 14
"""Height of an em, in pixels."""
CAPTION_HEIGHT = 28
"""Height of a line of text with the room around it, in pixels."""
KEY_SIDE = 12
KEY_MARGIN = 8
"""Pixels: a square of the colour key, and the room beside it."""

Anchor = Literal["lm", "mm", "rm"]
"""Which point of the text is where it is wanted: the left end, the middle or the right end, each at
half the height of its letters (the names are Pillow's)."""


def write(
    picture: np.ndarray,
    text: str,
    at: tuple[int, int],
    size: int = FONT_SIZE,
    colour: Colour = INK,
    bold: bool = False,
    anchor: Anchor = "lm",
) -> None:
    """Write one line of text on a picture, in place; what does not fit is cut off.

    Args:
        picture: uint8 RGB (height, width, 3).
        text: A line of text.
        at: Row and column, in pixels, of the point that ``anchor`` names.
        size: Height of an em, in pixels.
        colour: Of the letters.
        bold: Whether in bold type.
        anchor: Which point of the text is ``at``.
    """
    top, bottom = max(at[0] - size, 0), min(at[0] + size, picture.shape[0])
    line = Image.fromarray(picture[top:bottom])
    draw = ImageDraw.Draw(line)
    draw.text((at[1], at[0] - top), printable(text), colour, _font(size, bold), anchor)
    picture[top:bottom] = np.asarray(line)


def text_width(text: str, size: int = FONT_SIZE, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    return round(_font(size, bold).getlength(printable(text)))


def caption_strip(
    text: str, width: int, size: int = FONT_SIZE, bold: bool = False, margin: int = 0
) -> np.ndarray:
    """A text in as many lines as it takes, none of it left out; uint8 RGB (…, width, 3).

    Args:
        text: Any text.
        width: Of the strip, in pixels.
        size: Height of an em, in pixels.
        bold: Whether in bold type.
        margin: Pixels at the left and the right that stay free.
    """
    lines = wrapped(text, max(width - 2 * margin, size), size, bold)
    line_height, room = round(1.4 * size), 2 * size
    strip = np.full((room + line_height * (len(lines) - 1), width, 3), BACKGROUND, np.uint8)
    for number, line in enumerate(lines):
        write(strip, line, (room // 2 + line_height * number, margin), size, bold=bold)
    return strip


def wrapped(text: str, width: int, size: int = FONT_SIZE, bold: bool = False) -> list[str]:
    """The text in lines of at most ``width`` pixels, broken between words where that can be."""
    lines = [""]
    for word in printable(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if text_width(longer, size, bold) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:  # A word longer than a line is broken anywhere.
            if lines[-1] and text_width(lines[-1] + letter, size, bold) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def colour_key(entries: Iterable[tuple[Colour, str]], width: int) -> np.ndarray:
    """Coloured squares, each with its meaning, in as many lines as they take.

    Returns:
        uint8 RGB (…, width, 3).
    """
    strips: list[np.ndarray] = []
    left = width
    for colour, meaning in entries:
        needed = KEY_SIDE + 4 * KEY_MARGIN + text_width(meaning)
        if left + needed - 2 * KEY_MARGIN > width:
            strips.append(np.full((CAPTION_HEIGHT, width, 3), BACKGROUND, np.uint8))
            left = KEY_MARGIN
        middle = CAPTION_HEIGHT // 2
        corner = (left + KEY_SIDE, middle + KEY_SIDE // 2)
        cv2.rectangle(strips[-1], (left, middle - KEY_SIDE // 2), corner, colour, cv2.FILLED)
        write(strips[-1], meaning, (middle, left + KEY_SIDE + KEY_MARGIN))
        left += needed
    return np.concatenate(strips)


@lru_cache(maxsize=16)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
