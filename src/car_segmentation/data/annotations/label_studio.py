"""Label Studio's JSON and JSON_MIN exports: brushes, polygons, rectangles, ellipses, bit masks.

And tasks with predicted masks for it to import (labelstud.io/guide/predictions). Of several
annotations of one task the one marked as ground truth counts, or else the newest; predictions and
cancelled annotations never do.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from car_segmentation.core.files import atomic_file
from car_segmentation.data.annotations.brush import decode_brush, encode_brush
from car_segmentation.data.annotations.polygons import Patch, rectangle
from car_segmentation.data.annotations.predictions import PredictedMask
from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import Bitmap, Ellipse, Polygon, Shape, as_ring
from car_segmentation.data.images import PHOTO_SUFFIXES

logger = logging.getLogger(__name__)

PICTURE_NAME = re.compile(r"^task-\d+-annotation-\d+-by-.*\.(png|npy)$")
"""Names of Label Studio's exports of brushes as PNG and NumPy: nothing names the photo."""
OPAQUE = 127
"""Alpha above which a brush covers a pixel."""
BRUSH_TAG, IMAGE_TAG = "mask", "image"
"""Names of tags in `labelling_interface`; of the image, also that of a task's datum."""
DATA_URL = "data:image/png;base64,"


class Brush:
    """A packed brush mask; see `brush.decode_brush`."""

    def __init__(self, packed: bytes):
        self._packed = packed

    def patch(self, height: int, width: int) -> Patch:
        """The whole photo."""
        return Patch(0, 0, decode_brush(self._packed, height, width) > OPAQUE)


def is_label_studio(document: Any) -> bool:
    """True if a JSON document is one of Label Studio's exports, or a part of one."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(
            isinstance(it, Mapping) and (_is_task(it) or "annotation_id" in it) for it in document
        )
    )


def read_label_studio(document: Sequence[Mapping[str, Any]], source: Path) -> Found:
    """The annotated photos of an export; tasks that nobody annotated are left out."""
    tasks: dict[Any, list[Mapping[str, Any]]] = {}
    for number, task in enumerate(document):
        tasks.setdefault(task.get("id", f"number {number}"), []).append(task)
    annotations, problems = [], []
    several = 0
    for name, records in tasks.items():
        versions = [version for record in records for version in _versions(record)]
        if not versions:
            continue
        several += len(versions) > 1
        # Of equals the last one.
        version = max(reversed(versions), key=lambda it: (it.is_truth, it.time))
        results = version.results
        try:
            photo = _photo_name(records[0], {it.get("to_name") for it in results})
        except ValueError as error:
            problems.append((source, f"has a task {name} that {error}"))
            continue
        sizes = {
            (int(it["original_height"]), int(it["original_width"]))
            for it in results
            if it.get("original_height") and it.get("original_width")
        }
        annotations.append(
            DrawnAnnotation(
                (photo,),
                source,
                tuple(_regions(results)),
                sizes.pop() if len(sizes) == 1 else None,
                annotator=version.annotator,
                date=version.time,
            )
        )
    if several:
        logger.warning(
            "%s: %d tasks have several annotations. Of each the one marked as ground truth is "
            "taken, or else the newest.",
            source,
            several,
        )
    return Found(annotations, problems)


def write_label_studio(
    path: Path,
    masks: Iterable[PredictedMask],
    label: str,
    url_of: Callable[[str], str],
    model_version: str,
) -> None:
    """Write tasks, each with a predicted brush mask for a person to correct.

    Args:
        path: The file; replaced in one step.
        masks: Taken one by one.
        label: The class.
        url_of: Makes of a photo's name the address that Label Studio gets it from, such as
            ``/data/local-files/?d=photos/a.jpg``.
        model_version: What the predictions are of; Label Studio shows it.
    """
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for predicted in masks:
            height, width = predicted.mask.shape
            region = {
                "id": "predicted",
                "type": "brushlabels",
                "from_name": BRUSH_TAG,
                "to_name": IMAGE_TAG,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "format": "rle",
                    "rle": list(encode_brush(predicted.mask)),
                    "brushlabels": [label],
                },
            }
            prediction: dict[str, Any] = {
                "model_version": model_version,
                "result": [region] if predicted.mask.any() else [],
            }
            if predicted.score is not None:
                prediction["score"] = predicted.score
            task = {"data": {IMAGE_TAG: url_of(predicted.photo)}, "predictions": [prediction]}
            file.write(separator + json.dumps(task))
            separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def labelling_interface(label: str) -> str:
    """The labelling interface of a Label Studio project that `write_label_studio`'s tasks fit."""
    return (
        f'<View><Image name="{IMAGE_TAG}" value="${IMAGE_TAG}" zoom="true"/>'
        f'<BrushLabels name="{BRUSH_TAG}" toName="{IMAGE_TAG}"><Label value="{label}"/>'
        "</BrushLabels></View>"
    )


class _Version(NamedTuple):
    """An annotation of a task."""

    is_truth: bool
    time: str
    results: Sequence[Mapping[str, Any]]
    """Those that mark a place, or name what is marked; not choices, ratings or texts."""
    annotator: str


def _is_task(record: Mapping[str, Any]) -> bool:
    return "data" in record and bool(record.keys() & {"annotations", "completions"})


def _versions(record: Mapping[str, Any]) -> Iterator[_Version]:
    if not _is_task(record):  # JSON_MIN: a record for each annotation, results by tag.
        values = [it for its in record.values() if isinstance(its, list) for it in its]
        results = [{**it, "value": it} for it in values if isinstance(it, Mapping) and _marks(it)]
        who = _name_of(record.get("annotator"))
        yield _Version(False, str(record.get("updated_at") or ""), results, who)
        return
    for version in record.get("annotations", record.get("completions")) or []:
        if not (version.get("was_cancelled") or version.get("skipped")):
            results = [it for it in version.get("result") or [] if _marks(it.get("value") or {})]
            time = str(version.get("updated_at") or version.get("created_at") or "")
            who = _name_of(version.get("completed_by"))
            yield _Version(bool(version.get("ground_truth")), time, results, who)


def _name_of(person: Any) -> str:
    """A person's address, or the number that an export has in place of it."""
    if isinstance(person, Mapping):
        person = person.get("email") or person.get("id")
    return "" if person is None else str(person)


def _marks(value: Mapping[str, Any]) -> bool:
    return bool(value.keys() & {"rle", "points", "x", "imageDataURL", "vertices", "labels"})


def _photo_name(task: Mapping[str, Any], marked: Collection[str | None]) -> str:
    """The address of a task's photo, as a path.

    Raises:
        ValueError: If nothing, or several things, may be the photo.
    """
    data = task["data"] if _is_task(task) else task
    paths = {key: _path_of(address) for key, address in data.items()}
    photos = {it: path for it, path in paths.items() if _is_photo(path)}
    if len(marked) > 1:
        raise ValueError("marks several photos")
    chosen = [photos[it] for it in marked if it in photos] or list(photos.values())
    if len(set(chosen)) != 1:
        raise ValueError(f"names {len(set(chosen)) or 'no'} photos")
    return chosen[0]


def _is_photo(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in PHOTO_SUFFIXES


def _path_of(address: Any) -> str:
    if not isinstance(address, str):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


def _regions(results: Sequence[Mapping[str, Any]]) -> Iterator[Region]:
    # With a Brush and a Labels tag apart, two results of one id are one region.
    labels_of: dict[Any, list[str]] = {}
    for result in results:
        for key, names in result["value"].items():
            if key.endswith("labels") and isinstance(names, list):
                labels_of.setdefault(result.get("id", id(result)), []).extend(map(str, names))
    for result in results:
        if result["value"].keys() <= {"labels"}:
            continue
        names = labels_of.get(result.get("id", id(result))) or ["without a label"]
        for name in dict.fromkeys(names):
            yield region_or_reason(Label(name), _shape, result)


def _shape(result: Mapping[str, Any]) -> Shape:
    value = result["value"]
    if result.get("image_rotation"):
        raise ValueError("it was annotated on the photo turned round in Label Studio")
    if "rle" in value:
        return Brush(bytes(value["rle"]))
    if "imageDataURL" in value:
        return Bitmap(0, 0, value["imageDataURL"].removeprefix(DATA_URL))
    if "points" in value:
        if value.get("closed") is False:
            raise ValueError("its polygon is not closed")
        return Polygon((as_ring(value["points"]) / 100,), relative=True)
    width, height = result["original_width"], result["original_height"]
    scale = np.array([width, height]) / 100
    turn = np.deg2rad(value.get("rotation") or 0)
    if "radiusX" in value:
        x, y = np.array([value["x"], value["y"]]) * scale
        radius_x, radius_y = np.array([value["radiusX"], value["radiusY"]]) * scale
        return Ellipse((x, y), (radius_x, radius_y), float(np.rad2deg(turn)))
    if "height" not in value:
        raise ValueError("a point encloses nothing")
    # Turned about the top left corner.
    corners = rectangle(0, 0, value["width"], value["height"]) * scale
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = corners @ np.array([[cosine, sine], [-sine, cosine]])
    return Polygon((turned + np.array([value["x"], value["y"]]) * scale,))
