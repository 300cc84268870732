"""Text on pictures, in the font that matplotlib brings along: the same letters on every machine."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

INK: Colour = (30, 30, 30)
FONT_SIZE = 14
"""Height of an em, in pixels."""

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
    draw.text((at[1], at[0] - top), text, colour, _font(size, bold), anchor)
    picture[top:bottom] = np.asarray(line)


def text_width(text: str, size: int = FONT_SIZE, bold: bool = False) -> int:
    """How wide a line of text is, in pixels."""
    return round(_font(size, bold).getlength(text))


def shortened(text: str, width: int, size: int = FONT_SIZE, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into ``width`` pixels with an ellipsis."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "…", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache(maxsize=16)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
