"""The file in which CVAT names the classes of a colour each."""

from pathlib import Path

LABEL_MAP = "labelmap.txt"

Colour = tuple[int, int, int]


def read_label_map(path: Path) -> dict[Colour, str]:
    """Names of classes by colour, of lines such as ``car:128,0,0::``; in order.

    Raises:
        ValueError: If a line is not of this form.
    """
    colours = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line.strip() and not line.startswith("#"):
            name, colour, *_ = [*line.split(":"), ""]
            parts = colour.split(",")
            if len(parts) != 3 or not all(it.strip().isdigit() for it in parts):
                raise ValueError(f"has a line that is not NAME:RED,GREEN,BLUE: {line!r}")
            red, green, blue = map(int, parts)
            colours[red, green, blue] = name.strip()
    return colours
