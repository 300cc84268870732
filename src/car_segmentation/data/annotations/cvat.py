"""CVAT's XML, "CVAT for images 1.1" (docs.cvat.ai): polygons, masks, boxes, ellipses."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from car_segmentation.data.annotations.polygons import rectangle
from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import Ellipse, Polygon, RunLengths, Shape, as_ring

NOT_DRAWN = frozenset({"tag", "attribute"})
"""Elements of a photo that mark no place."""


def is_cvat(path: Path) -> bool:
    """True if an XML file is one of CVAT's, by its first element.

    Raises:
        ValueError: If it is no XML.
    """
    return next(_events(path))[1].tag == "annotations"


def read_cvat(path: Path) -> Found:
    """The annotated photos of a file, read photo by photo; higher objects hide lower ones.

    Raises:
        ValueError: If it is no XML.
    """
    annotations = []
    for event, element in _events(path):
        if event == "end" and element.tag == "image":
            shapes = [it for it in element if it.tag not in NOT_DRAWN]
            shapes.sort(key=lambda it: int(it.get("z_order") or 0))  # Keeps the order of equals.
            size = int(element.get("height") or 0), int(element.get("width") or 0)
            annotations.append(
                DrawnAnnotation(
                    (element.get("name") or "",),
                    path,
                    tuple(map(_region, shapes)),
                    size if all(size) else None,
                    covers=True,
                )
            )
            element.clear()
    return Found(annotations, [])


def _events(path: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    try:
        yield from ElementTree.iterparse(path, events=("start", "end"))
    except ElementTree.ParseError as error:
        raise ValueError(f"is not XML ({error})") from error


def _region(element: ElementTree.Element) -> Region:
    label = Label(element.get("label") or "without a label")
    return region_or_reason(label, _shape, {**element.attrib, "kind": element.tag})


def _shape(values: Mapping[str, Any]) -> Shape:
    kind = values["kind"]
    turn = float(values.get("rotation") or 0)
    if kind == "polygon":
        return Polygon((as_ring(point.split(",") for point in values["points"].split(";")),))
    if kind == "mask":
        counts = tuple(int(count) for count in values["rle"].split(","))
        top, left, height, width = (int(values[it]) for it in ("top", "left", "height", "width"))
        return RunLengths(top, left, height, width, counts)
    if kind == "ellipse":
        x, y, radius_x, radius_y = (float(values[it]) for it in ("cx", "cy", "rx", "ry"))
        return Ellipse((x, y), (radius_x, radius_y), turn)
    if kind == "box" and not turn:
        return Polygon((rectangle(*(float(values[it]) for it in ("xtl", "ytl", "xbr", "ybr"))),))
    raise ValueError(f"a turned {kind} is not read" if turn else f"a {kind} encloses nothing")
