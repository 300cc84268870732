"""The file in which CVAT names the classes of a colour each."""

from pathlib import Path

LABEL_MAP = "labelmap.txt"

Colour = tuple[int, int, int]


def voc_colour(number: int) -> Colour:
    """The colour of a number in VOC's devkit: its bits assigned to red, green and blue.

    Example:
        >>> voc_colour(7), voc_colour(255)
        ((128, 128, 128), (224, 224, 192))
    """
    red = green = blue = 0
    for place in range(8):
        bits = number >> (3 * place)
        red |= (bits & 1) << (7 - place)
        green |= (bits >> 1 & 1) << (7 - place)
        blue |= (bits >> 2 & 1) << (7 - place)
    return red, green, blue


def read_label_map(path: Path) -> dict[Colour, str]:
    """Names of classes by colour, of lines such as ``car:128,0,0::``; in order.

    A class without a colour (``car:::``, as Datumaro writes them) has that of its line in VOC.

    Raises:
        ValueError: If a line is not of this form.
    """
    colours: dict[Colour, str] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line.strip() and not line.startswith("#"):
            name, colour, *_ = [*line.split(":"), ""]
            if not colour.strip() and ":" in line:
                colours[voc_colour(len(colours))] = name.strip()
                continue
            parts = colour.split(",")
            if len(parts) != 3 or not all(it.strip().isdigit() for it in parts):
                raise ValueError(f"has a line that is not NAME:RED,GREEN,BLUE: {line!r}")
            red, green, blue = map(int, parts)
            colours[red, green, blue] = name.strip()
    return colours
