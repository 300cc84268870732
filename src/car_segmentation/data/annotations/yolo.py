"""YOLO's polygons: a text file for each photo, a line for each object (docs.ultralytics.com).

A line is the class's number, then x and y of each point as fractions of the photo's size. Lines of
one photo are united. Names of classes come from ``data.yaml``, ``classes.txt`` or ``obj.names``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from car_segmentation.data.annotations.regions import (
    DrawnAnnotation,
    Found,
    Label,
    Region,
    region_or_reason,
)
from car_segmentation.data.annotations.shapes import Polygon, Shape, as_ring

BOX_NUMBERS = 4
NAME_LISTS = ("classes.txt", "obj.names")
SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
NOT_LABELS = frozenset({*NAME_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt"})


def label_files(folder: Path) -> list[Path]:
    """The text files of a folder, inner folders included, that may hold labels."""
    return sorted(
        path
        for path in folder.rglob("*.txt")
        if path.name.lower() not in NOT_LABELS and not path.name.lower().startswith("readme")
    )


def read_yolo(folder: Path) -> Found:
    """The annotated photos of a folder."""
    names = _class_names(folder)
    annotations, problems = [], []
    for path in label_files(folder):
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            regions = tuple(_region(line.split(), names) for line in lines if line.strip())
        except (OSError, ValueError) as error:
            problems.append((path, f"holds no labels of YOLO's ({error})"))
            continue
        photo = path.relative_to(folder).with_suffix("").as_posix()
        annotations.append(DrawnAnnotation((photo,), path, regions))
    return Found(annotations, problems)


def _region(words: Sequence[str], names: Mapping[int, str]) -> Region:
    number = int(words[0])
    label = Label(names.get(number, f"class {number}"), number)
    return region_or_reason(label, _shape, {"numbers": [float(word) for word in words[1:]]})


def _shape(values: Mapping[str, Any]) -> Shape:
    numbers = values["numbers"]
    if len(numbers) == BOX_NUMBERS:
        raise ValueError("it has a box and no outline")
    if len(numbers) % 2:
        raise ValueError("an outline is not x and y in turn")
    return Polygon((as_ring(zip(numbers[::2], numbers[1::2], strict=True)),), relative=True)


def _class_names(folder: Path) -> dict[int, str]:
    for place in (folder, folder.parent):
        for path in (place / name for name in SETTINGS):
            if path.is_file():
                names = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("names") or {}
                pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
                return {int(number): str(name) for number, name in pairs}
        for path in (place / name for name in NAME_LISTS):
            if path.is_file():
                lines = path.read_text(encoding="utf-8-sig").splitlines()
                return {number: line.strip() for number, line in enumerate(lines)}
    return {}
