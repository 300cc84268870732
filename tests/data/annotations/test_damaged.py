"""Files of every format with bytes changed, cut off, left out and put in: read, or refused."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import (
    Choice,
    PredictedMask,
    read_annotations,
    write_coco,
    write_label_studio,
    write_labelme,
)
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import blobs

SIZE = (40, 56)
MASK = PredictedMask("a.jpg", blobs(1, *SIZE))
TRIES = 60
PIECES = (b"9" * 18, b"-", b"null", b"[[", b"e308", b"\x00", b"<a>", b"\xff\xfe")


def write_tasks(folder: Path) -> None:
    write_label_studio(folder / "a.json", [MASK], "car", str, "1")
    path = folder / "a.json"
    path.write_text(path.read_text().replace('"predictions"', '"annotations"'))


def write_cvat(folder: Path) -> None:
    shape = '<mask label="car" rle="3, 2, 4" left="1" top="2" width="3" height="3"/>'
    outline = '<polygon label="car" points="1,1;30,1;30,20" z_order="1"/>'
    image = f'<image name="a.jpg" width="56" height="40">{shape}{outline}</image>'
    (folder / "a.xml").write_text(f"<annotations>{image}</annotations>")


def write_classes(folder: Path) -> None:
    (folder / "SegmentationClass").mkdir()
    (folder / "labelmap.txt").write_text("background:0,0,0::\ncar:255,255,255::\n")
    Image.fromarray(MASK.mask).save(folder / "SegmentationClass" / "a.png")


def write_yolo(folder: Path) -> None:
    (folder / "a.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.8\n1 0.2 0.2 0.4 0.2 0.3 0.5\n")


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_coco(folder / "a.json", [MASK], "car"),
        lambda folder: write_coco(folder / "a.json", [MASK], "car", tolerance=1),
        lambda folder: write_labelme(folder, [MASK], "car"),
        *(write_tasks, write_cvat, write_classes, write_yolo),
    ],
    ids=["coco", "coco polygons", "labelme", "label studio", "cvat", "classes", "yolo"],
)
def test_damaged_files_are_read_or_refused(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    files = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*.*"))}
    dice = random.Random(1)
    outcomes = set()
    for _ in range(TRIES):
        path = dice.choice(list(files))
        path.write_bytes(damaged(files[path], dice))
        outcomes.add(read(tmp_path))
        path.write_bytes(files[path])
    assert len(outcomes) > 1
    assert read(tmp_path) == "drawn"


def damaged(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 3, 20])):
        place, how = dice.randrange(len(changed) + 1), dice.random()
        if how < 0.1:
            del changed[place:]
        elif how < 0.4:
            del changed[place : place + dice.randrange(1, 6)]
        elif how < 0.7:
            changed[place : place + 1] = bytes([dice.randrange(256)])
        else:
            changed[place:place] = dice.choice(PIECES)
    return bytes(changed)


def read(folder: Path) -> str:
    try:
        annotations = read_annotations(folder).annotations
    except UserError:
        return "refused"
    try:
        for annotation in annotations:
            mask, _ = annotation.mask(SIZE, Choice(("car", 0, 1)))
            assert mask.shape == SIZE and mask.dtype == np.uint8
    except UnusableImage:
        return "photo refused"
    return "drawn"
