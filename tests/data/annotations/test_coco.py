import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Choice,
    PredictedMask,
    read_annotations,
    write_coco,
)
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, blobs, drawn


def write(path: Path, *annotations: dict[str, Any], **changes: Any) -> Path:
    document = {
        "images": [{"id": 7, "file_name": "in/a.jpg", "height": 4, "width": 6}],
        "categories": [{"id": 3, "name": "car"}, {"id": 5, "name": "tree"}],
        "annotations": [{"image_id": 7, "category_id": 3, **it} for it in annotations],
    }
    path.write_text(json.dumps(document | changes))
    return path


SQUARE = {"segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}
BOX = {"bbox": [0, 0, 2, 2], "segmentation": []}
# Down the columns: 4 of none, then 2 of the second column.
RUNS = {"segmentation": {"size": [4, 6], "counts": [4, 2, 18]}}


def test_polygons_and_run_lengths_are_united(tmp_path: Path) -> None:
    mask = drawn(write(tmp_path / "a.json", SQUARE, RUNS), (4, 6))["in/a.jpg"]
    assert np.argwhere(mask == FOREGROUND).tolist() == [[0, 1], [1, 1], [1, 2], [2, 1], [2, 2]]


def test_packed_run_lengths(tmp_path: Path) -> None:
    from pycocotools import mask as packer

    expected = blobs(1, 4, 6)
    packed = packer.encode(np.asfortranarray(expected.astype(np.uint8)))
    segmentation = {"size": [4, 6], "counts": packed["counts"].decode()}
    path = write(tmp_path / "a.json", {"segmentation": segmentation})
    assert np.array_equal(drawn(path, (4, 6))["in/a.jpg"] == FOREGROUND, expected)


def test_crowds_are_ignored_where_no_object_is(tmp_path: Path) -> None:
    crowd = {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "iscrowd": 1}
    path = write(tmp_path / "a.json", crowd, SQUARE)
    mask = drawn(path, (4, 6), Choice(("car",)))["in/a.jpg"]
    assert mask[:2, :3].tolist() == [
        [IGNORED, IGNORED, BACKGROUND],
        [IGNORED, FOREGROUND, FOREGROUND],
    ]
    assert (drawn(path, (4, 6), Choice(("tree",)))["in/a.jpg"] == BACKGROUND).all()


def test_crowds_are_objects_as_cvat_writes_them(tmp_path: Path) -> None:
    masks = [[0, 1], [1, 1]]
    crowd, tree = {**RUNS, "iscrowd": 1}, {**SQUARE, "category_id": 5}
    path = write(tmp_path / "a.json", crowd, tree)  # A car is never anything but a crowd.
    mask = drawn(path, (4, 6), Choice(("car",)))["in/a.jpg"]
    assert np.argwhere(mask == FOREGROUND).tolist() == masks
    path = write(tmp_path / "b.json", SQUARE, crowd | {"attributes": {"occluded": False}})
    mask = drawn(path, (4, 6))["in/a.jpg"]
    assert not (mask == IGNORED).any() and (mask[:2, 1] == FOREGROUND).all()


@pytest.mark.parametrize("chosen", ["tree", 5])
def test_classes_are_chosen_by_name_or_number(tmp_path: Path, chosen: str | int) -> None:
    path = write(tmp_path / "a.json", SQUARE, {**RUNS, "category_id": 5})
    mask = drawn(path, (4, 6), Choice((chosen,)))["in/a.jpg"]
    assert np.argwhere(mask == FOREGROUND).tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (BOX, "it has a box and no outline"),
        ({"segmentation": [[1, 1, 3]]}, "not a list of x and y in turn"),
        ({"segmentation": [[1, 1, 3, 3]]}, "three points or more"),
        ({"segmentation": [["a", "b", "c", "d", "e", "f"]]}, "could not convert"),
        ({"segmentation": {"size": [4, 6]}}, "its data is not as expected"),
        ({"segmentation": {"size": [4, 6], "counts": [4, 2]}}, "add up to 6 pixels, not to 4×6"),
        ({"segmentation": {"size": [4, 6], "counts": [30, -6]}}, "not whole numbers from 0 on"),
        ({"segmentation": {"size": [9, 9], "counts": [81]}}, "is 9×9 pixels, and the photo 6×4"),
    ],
)
def test_what_cannot_be_drawn_is_refused_if_it_is_chosen(
    tmp_path: Path, annotation: dict[str, Any], reason: str
) -> None:
    (photo,) = read_annotations(write(tmp_path / "a.json", SQUARE, annotation)).annotations
    with pytest.raises(UnusableImage, match=f"an object 'car' that cannot be drawn: .*{reason}"):
        photo.mask((4, 6), ANY)
    mask, found = photo.mask((4, 6), Choice(("tree",)))
    assert not mask.any() and not found


def test_objects_of_photos_that_are_not_listed_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", SQUARE, {**SQUARE, "image_id": 8})
    found = read_annotations(path)
    assert len(found.annotations) == 1
    assert found.problems == [(path, "annotates 1 objects of photos that it does not list")]


@pytest.mark.parametrize("annotation", [{"caption": "a car"}, {"segments_info": []}])
def test_files_without_outlines_are_refused(tmp_path: Path, annotation: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="has no outlines"):
        read_annotations(write(tmp_path / "a.json", annotation))


def test_a_photo_of_another_size_is_refused(tmp_path: Path) -> None:
    (photo,) = read_annotations(write(tmp_path / "a.json", SQUARE)).annotations
    with pytest.raises(UnusableImage, match=r"annotated at 6×4 pixels.*12×8"):
        photo.mask((8, 12), ANY)
    with pytest.raises(UnusableImage, match="without regard to its EXIF orientation"):
        photo.mask((6, 4), ANY)


@pytest.mark.parametrize("how", [{}, {"packed": False}, {"tolerance": 0.0}], ids=str)
def test_masks_written_are_masks_read(tmp_path: Path, how: dict[str, Any]) -> None:
    masks = {"a.jpg": blobs(1), "in/b.png": blobs(2), "empty.jpg": np.zeros((40, 56), bool)}
    path = tmp_path / "a.json"
    write_coco(path, (PredictedMask(*it, score=0.9) for it in masks.items()), "car", **how)
    again = drawn(path, (40, 56))
    assert list(again) == list(masks)
    assert all(np.array_equal(again[it] == FOREGROUND, masks[it]) for it in masks)


def test_what_is_written_is_cocos(tmp_path: Path) -> None:
    mask = blobs(4)
    mask[:, 50:] = mask[:3] = False
    write_coco(tmp_path / "a.json", [PredictedMask("a.jpg", mask)], "car")
    coco = COCO(str(tmp_path / "a.json"))
    (annotation,) = coco.loadAnns(coco.getAnnIds())
    assert np.array_equal(coco.annToMask(annotation).astype(bool), mask)
    assert annotation["area"] == mask.sum()
    rows, columns = np.nonzero(mask)
    left, top, width, height = annotation["bbox"]
    assert (left, top) == (columns.min(), rows.min())
    assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
