"""Supervisely's JSON, a file for each photo (docs.supervisely.com, "Supervisely JSON format")."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from car_segmentation.data.annotations.polygons import rectangle
from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import Bitmap, Polygon, Shape, as_ring


def is_supervisely(document: Any) -> bool:
    """True if a JSON document is one of Supervisely's for a photo."""
    return isinstance(document, Mapping) and {"objects", "size"} <= document.keys()


def read_supervisely(document: Mapping[str, Any], source: Path) -> Found:
    """The one annotated photo of a document; ``photo.jpg.json`` is of ``photo.jpg``."""
    size = document["size"]
    annotation = DrawnAnnotation(
        (source.stem,),
        source,
        tuple(_region(it) for it in document["objects"]),
        (int(size["height"]), int(size["width"])),
        covers=True,
    )
    return Found([annotation], [])


def _region(thing: Mapping[str, Any]) -> Region:
    return region_or_reason(Label(str(thing.get("classTitle"))), _shape, thing)


def _shape(thing: Mapping[str, Any]) -> Shape:
    kind = thing["geometryType"]
    if kind == "bitmap":
        bitmap = thing["bitmap"]
        left, top = bitmap["origin"]
        return Bitmap(int(top), int(left), bitmap["data"], zipped=True)
    if kind == "polygon":
        points = thing["points"]
        rings = [points["exterior"], *points.get("interior", [])]
        return Polygon(tuple(as_ring(ring) for ring in rings))
    if kind == "rectangle":
        (left, top), (right, bottom) = thing["points"]["exterior"]
        return Polygon((rectangle(left, top, right, bottom),))
    raise ValueError(f"a {kind} encloses nothing")
