"""Every colour of pictures, plots and pages, by what it stands for."""

from collections.abc import Mapping

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

COLOURS: Mapping[str, tuple[str, str]] = {
    "page": ("#f6f7f8", "#14171b"),
    "card": ("#ffffff", "#1c2026"),
    "ink": ("#1b1f24", "#e7e9ec"),
    "quiet": ("#58606a", "#a3abb6"),
    "line": ("#dde1e6", "#343a43"),
    "thin": ("#a9b0b9", "#6a727d"),
    "first": ("#0f766e", "#2cc4b2"),
    "second": ("#b4530a", "#f0a04b"),
    "false_positive": ("#d62728", "#f0605f"),
    "true_positive": ("#2ca02c", "#4fc04f"),
    "false_negative": ("#1f5adc", "#6d9bff"),
    "place": ("#ffd700", "#ffd700"),
    "model": ("#c83cff", "#d670ff"),
    "outline": ("#ff00a0", "#ff00a0"),
}
"""Meanings of the colours in the light and in the dark theme.

``first`` (teal) and ``second`` (orange) are told apart by the colour-blind, as are the red and the
blue, which mean false positives and false negatives and nothing else. ``thin`` is for what rests on
too little data. ``place`` (yellow) marks places and masks on photos, ``model`` (violet) the model's
mask beside another, ``outline`` (pink, which no car has) a mask on its photo. Figures are drawn in
the light colours; the page exchanges them.
"""


def light(name: str) -> str:
    """A colour of `COLOURS` for figures, as #rrggbb; the page knows its dark one."""
    return COLOURS[name][0]


def rgb(name: str) -> Colour:
    """A colour of `COLOURS` for pictures, which have no dark theme.

    Example:
        >>> rgb("true_positive")
        (44, 160, 44)
    """
    red, green, blue = bytes.fromhex(light(name)[1:])
    return red, green, blue


FALSE_POSITIVE = rgb("false_positive")
"""Red: taken for car, and is not."""
TRUE_POSITIVE = rgb("true_positive")
"""Green: rightly car."""
FALSE_NEGATIVE = rgb("false_negative")
"""Blue: car that was not found."""
INK = rgb("ink")
BACKGROUND = rgb("card")
