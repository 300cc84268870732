"""LabelMe's JSON, a file beside each photo (github.com/wkentaro/labelme).

Later shapes lie on top and hide what is below, as in the masks that LabelMe itself exports; of what
it embeds, the photo is not looked at.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from car_segmentation.core.files import atomic_file
from car_segmentation.data.annotations.polygons import one_ring, outlines, rectangle
from car_segmentation.data.annotations.predictions import PredictedMask
from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import Bitmap, Ellipse, Polygon, Shape, as_ring

ERASER = "_background_"
VOID = "__ignore__"
"""LabelMe's own two words for what is no class."""
VERSION = "5.0.1"
"""Of the format that is written."""


def is_labelme(document: Any) -> bool:
    """True if a JSON document is one of LabelMe's."""
    return isinstance(document, Mapping) and isinstance(document.get("shapes"), list)


def read_labelme(document: Mapping[str, Any], source: Path) -> Found:
    """The one annotated photo of a document."""
    height, width = document.get("imageHeight"), document.get("imageWidth")
    annotation = DrawnAnnotation(
        tuple(str(it) for it in (document.get("imagePath"), source.stem) if it),
        source,
        tuple(_region(shape) for shape in document["shapes"]),
        (int(height), int(width)) if height and width else None,
        covers=True,
    )
    return Found([annotation], [])


def write_labelme(
    folder: Path, masks: Iterable[PredictedMask], label: str, tolerance: float = 0.8
) -> None:
    """Write masks as LabelMe's polygons, a JSON for each photo.

    Args:
        folder: Where photos are, or will be put: LabelMe looks for them beside its files.
        masks: Taken one by one.
        label: The class.
        tolerance: How far, in pixels, outlines may be off, so that there are points that a hand
            can move. 0 gives masks back to the pixel, with hundreds of points.
    """
    for predicted in masks:
        photo = PurePosixPath(predicted.photo)
        height, width = predicted.mask.shape
        document = {
            "version": VERSION,
            "flags": {},
            "shapes": [
                {
                    "label": label,
                    "points": one_ring(rings).tolist(),
                    "group_id": None,
                    "shape_type": "polygon",
                    "flags": {},
                }
                for rings in outlines(predicted.mask, tolerance)
            ],
            "imagePath": photo.name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        with atomic_file(folder / photo.with_suffix(".json")) as part:
            part.write_text(json.dumps(document), encoding="utf-8")


def _region(shape: Mapping[str, Any]) -> Region:
    name = str(shape.get("label"))
    return region_or_reason(Label(name), _shape, shape, ignored=name == VOID, erases=name == ERASER)


def _shape(shape: Mapping[str, Any]) -> Shape:
    kind: str = shape.get("shape_type") or "polygon"
    points: Sequence[Any] = shape["points"]
    if kind in {"polygon", "oriented_rectangle"}:
        return Polygon((as_ring(points),))
    if kind == "rectangle":
        if len(points) == 4:  # As newer versions write it.
            return Polygon((as_ring(points),))
        (left, top), (right, bottom) = points
        return Polygon((rectangle(left, top, right, bottom),))
    if kind == "circle":
        (x, y), (rim_x, rim_y) = points
        radius = math.hypot(rim_x - x, rim_y - y)
        return Ellipse((x, y), (radius, radius))
    if kind == "mask":
        left, top = points[0]
        return Bitmap(round(top), round(left), shape["mask"])
    raise ValueError(f"a {kind} encloses nothing")
