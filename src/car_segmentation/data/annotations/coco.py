"""COCO's JSON: polygons, run lengths packed and unpacked, crowds (cocodataset.org/#format-data)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.files import atomic_file
from car_segmentation.data.annotations.coco_text import pack_counts
from car_segmentation.data.annotations.polygons import one_ring, outlines
from car_segmentation.data.annotations.predictions import PredictedMask
from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import (
    CocoRunLengths,
    Polygon,
    Shape,
    as_ring,
    pixels_to_runs,
)


def is_coco(document: Any) -> bool:
    """True if a JSON document is one of COCO's."""
    return isinstance(document, Mapping) and {"images", "annotations"} <= document.keys()


def read_coco(document: Mapping[str, Any], source: Path) -> Found:
    """The annotated photos of a document.

    Polygons of one object are united, and so are objects. Crowds (``iscrowd``) of a class that is
    cut out are ignored pixels. CVAT and Datumaro, though, set ``iscrowd`` for every mask that is
    no polygon: where a category has nothing else, or an object has their ``attributes``, it says
    nothing.

    Raises:
        ValueError: If nothing has an outline, as in COCO's captions and panoptic files.
    """
    objects = document["annotations"]
    if not any(it.keys() & {"segmentation", "bbox"} for it in objects):
        raise ValueError("is of COCO's form, but has no outlines (captions? panoptic?)")
    names = {it.get("id"): str(it.get("name")) for it in document.get("categories") or []}
    regions: dict[Any, list[Region]] = {it.get("id"): [] for it in document["images"]}
    with_objects = {it.get("category_id") for it in objects if not it.get("iscrowd")}
    strangers = 0
    for annotation in objects:
        number = annotation.get("category_id")
        label = Label(names.get(number, f"category {number}"), number)
        if annotation.get("image_id") not in regions:
            strangers += 1
            continue
        of_photo = regions[annotation["image_id"]]
        is_crowd = (
            bool(annotation.get("iscrowd"))
            and number in with_objects
            and "attributes" not in annotation
        )
        outline = annotation.get("segmentation")
        if isinstance(outline, list) and outline:
            of_photo += [region_or_reason(label, _polygon, it, ignored=is_crowd) for it in outline]
        else:
            of_photo.append(region_or_reason(label, _run_lengths, outline, ignored=is_crowd))
    problems = [(source, f"annotates {strangers} objects of photos that it does not list")]
    return Found(
        [
            DrawnAnnotation(
                (str(image.get("file_name")),),
                source,
                tuple(regions[image.get("id")]),
                _stated_size(image),
            )
            for image in document["images"]
        ],
        problems if strangers else [],
    )


def write_coco(
    path: Path,
    masks: Iterable[PredictedMask],
    label: str,
    packed: bool = True,
    tolerance: float | None = None,
) -> None:
    """Write masks as COCO's JSON, one object a photo.

    Args:
        path: The file; replaced in one step.
        masks: Taken one by one, so that memory is bounded by their run lengths.
        label: The category's name; its id is 1.
        packed: Whether run lengths are compressed into a text; else numbers.
        tolerance: Write polygons instead, whose outlines may be off by that many pixels; 0 gives
            masks back to the pixel. Holes are joined to what is around them by a line of no width.
    """
    images, annotations = [], []
    for number, predicted in enumerate(masks, start=1):
        mask = predicted.mask
        height, width = mask.shape
        images.append(
            {"id": number, "file_name": predicted.photo, "height": height, "width": width}
        )
        if not mask.any():
            continue
        segmentation: Any
        if tolerance is not None:
            segmentation = [one_ring(rings).ravel().tolist() for rings in outlines(mask, tolerance)]
        else:
            runs = pixels_to_runs(mask.T)
            segmentation = {
                "size": [height, width],
                "counts": pack_counts(runs) if packed else runs,
            }
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        top, left = int(rows[0]), int(columns[0])
        annotation = {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "segmentation": segmentation,
            "area": int(np.count_nonzero(mask)),
            "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
            "iscrowd": 0,
        }
        annotations.append(
            annotation if predicted.score is None else annotation | {"score": predicted.score}
        )
    document = {
        "images": images,
        "categories": [{"id": 1, "name": label, "supercategory": ""}],
        "annotations": annotations,
    }
    with atomic_file(path) as part:
        part.write_text(json.dumps(document), encoding="utf-8")


def _polygon(numbers: Any) -> Shape:
    points = np.asarray(numbers, dtype=float)
    if points.ndim != 1 or points.size % 2:
        raise ValueError("an outline is not a list of x and y in turn")
    return Polygon((as_ring(points.reshape(-1, 2)),))


def _run_lengths(segmentation: Any) -> Shape:
    if not segmentation:
        raise ValueError("it has a box and no outline")
    height, width = map(int, segmentation["size"])
    return CocoRunLengths(height, width, segmentation["counts"])


def _stated_size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    return (int(height), int(width)) if height and width else None
