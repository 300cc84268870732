from pathlib import Path

import numpy as np
import pytest

from car_segmentation.data.annotations import FOREGROUND, Choice, read_annotations
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, drawn

LEFT_HALF = "1 0 0 0.5 0 0.5 1 0 1"
RIGHT_QUARTER = "0 0.75 0 1 0 1 1 0.75 1"


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / "labels" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def test_points_are_fractions_of_whatever_size_the_photo_has(tmp_path: Path) -> None:
    write(tmp_path, "train/a.txt", LEFT_HALF, RIGHT_QUARTER)
    write(tmp_path, "empty.txt")
    for height, width in ((3, 8), (6, 16)):
        masks = drawn(tmp_path, (height, width), Choice((0, 1)))
        assert not masks["labels/empty"].any()
        columns = (masks["labels/train/a"] == FOREGROUND).all(axis=0)
        assert columns.sum() == width * 3 / 4 and not columns[width // 2 : width * 3 // 4].any()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "tree\ncar\n"),
        ("data.yaml", "names: [tree, car]"),
        ("data.yaml", "names:\n  0: tree\n  1: car"),
    ],
)
def test_names_of_classes(tmp_path: Path, file: str, text: str) -> None:
    write(tmp_path, "a.txt", LEFT_HALF, RIGHT_QUARTER)
    (tmp_path / file).write_text(text)
    (mask,) = drawn(tmp_path, (2, 4), Choice(("car",))).values()
    assert (mask[0] == FOREGROUND).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("0 0.5 0.5 0.2 0.2", "a box and no outline"), ("0 0.1 0.2 0.3 0.4 0.5", "in turn")],
)
def test_boxes_are_refused(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, "a.txt", line)
    (photo,) = read_annotations(tmp_path).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask((2, 4), ANY)


def test_other_texts_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", LEFT_HALF)
    notes = write(tmp_path, "notes.txt", "call the studio")
    ((path, reason),) = read_annotations(tmp_path).problems
    assert path == notes and reason.startswith("holds no labels of YOLO's")
    assert np.array_equal(len(read_annotations(tmp_path).annotations), 1)
