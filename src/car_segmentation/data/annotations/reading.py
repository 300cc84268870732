"""Annotations in any format that is known, told by content."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations.class_pictures import picture_folders, read_class_pictures
from car_segmentation.data.annotations.coco import is_coco, read_coco
from car_segmentation.data.annotations.cvat import is_cvat, read_cvat
from car_segmentation.data.annotations.label_studio import (
    PICTURE_NAME,
    is_label_studio,
    read_label_studio,
)
from car_segmentation.data.annotations.labelme import is_labelme, read_labelme
from car_segmentation.data.annotations.regions import Annotation, Found
from car_segmentation.data.annotations.supervisely import is_supervisely, read_supervisely
from car_segmentation.data.annotations.yolo import label_files, read_yolo
from car_segmentation.parameters import AnnotationFormat

JSON_FORMATS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Path], Found]]] = {
    "coco": (is_coco, read_coco),
    "labelme": (is_labelme, read_labelme),
    "label_studio": (is_label_studio, read_label_studio),
    "supervisely": (is_supervisely, read_supervisely),
}
UNDERSTOOD = (
    "COCO, LabelMe, Label Studio (JSON), CVAT (for images 1.1, segmentation mask 1.1, COCO), "
    "Pascal VOC (SegmentationClass), YOLO (polygons), Supervisely"
)
COMPANIONS = frozenset(
    {"notes.json", "meta.json", "key_id_map.json", "obj_class_to_machine_color.json"}
)
"""JSON files that stand beside annotations and hold none."""
TOLD_PROBLEMS = 3


def read_annotations(path: Path, kind: AnnotationFormat = "auto") -> Found:
    """Read all annotations in a file or folder, inner folders included.

    Shapes are drawn later, a photo at a time: see `regions.Annotation.mask`.

    Args:
        path: What the labelling tool exported, unzipped.
        kind: The format; ``auto`` goes by content.

    Raises:
        UserError: If there is nothing that is understood.
    """
    if not path.exists():
        raise UserError(f"annotations: there is no {path}.")
    found = _read_folder(path, kind) if path.is_dir() else _read_file(path, kind)
    if not found.annotations:
        told = "".join(f"\n  {it} {reason}" for it, reason in found.problems[:TOLD_PROBLEMS])
        wanted = "" if kind == "auto" else f" of the format {kind} (annotation_format)"
        raise UserError(
            f"annotations: {path} holds no annotated photos{wanted}.{told or ''}\n"
            f"Supported: {UNDERSTOOD}. docs/annotations.md says how each is exported."
        )
    return found


def _read_file(path: Path, kind: str) -> Found:
    readers = {".json": _read_json, ".xml": _read_xml}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        hint = ": unzip it first" if path.suffix.lower() == ".zip" else ""
        return Found([], [(path, f"is neither a folder nor a .json nor an .xml{hint}")])
    try:
        return reader(path, kind)
    except OSError as error:
        return Found([], [(path, f"cannot be read ({error.strerror})")])
    except (ValueError, RecursionError) as error:
        return Found([], [(path, str(error))])
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        return Found([], [(path, f"is damaged ({type(error).__name__}: {error})")])


def _read_json(path: Path, kind: str) -> Found:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not JSON ({error})") from error
    except RecursionError as error:
        raise ValueError("is not JSON that can be read (nested too deep)") from error
    for name, (recognises, read) in JSON_FORMATS.items():
        if kind in {"auto", name} and recognises(document):
            return read(document, path)
    raise ValueError("is JSON of no format that is understood")


def _read_xml(path: Path, kind: str) -> Found:
    if kind in {"auto", "cvat"} and is_cvat(path):
        return read_cvat(path)
    raise ValueError("is XML, but not CVAT's: Pascal VOC's has boxes alone, which give no masks")


def _read_folder(folder: Path, kind: str) -> Found:
    if kind in {"auto", "voc", "cvat_masks"} and picture_folders(folder):
        try:
            return read_class_pictures(folder)
        except ValueError as error:
            raise UserError(f"annotations: the label map in {folder} {error}.") from error
    annotations: list[Annotation] = []
    problems: list[tuple[Path, str]] = []
    pictures = []
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or path.name in COMPANIONS:
            continue
        if path.suffix.lower() in {".json", ".xml"} and path.is_file():
            found = _read_file(path, kind)
            annotations += found.annotations
            problems += found.problems
        elif PICTURE_NAME.match(path.name):
            pictures.append(path)
    if not annotations:  # Otherwise a JSON export lies beside them, which has their masks, too.
        reason = "names a task of Label Studio's, not a photo: export JSON, which has it all"
        problems += [(path, reason) for path in pictures]
    if not annotations and kind in {"auto", "yolo"} and label_files(folder):
        return read_yolo(folder)
    return Found(annotations, problems)
