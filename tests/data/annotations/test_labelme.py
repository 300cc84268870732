import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.annotations import (
    FOREGROUND,
    IGNORED,
    Choice,
    PredictedMask,
    read_annotations,
    write_labelme,
)
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, blobs, drawn


def write(path: Path, *shapes: dict[str, Any], **changes: Any) -> Path:
    document = {
        "version": "5.4.1",
        "imagePath": "..\\photos\\a.jpg",
        "imageData": "AAAA",
        "imageHeight": 6,
        "imageWidth": 8,
        "shapes": [{"label": "car", "shape_type": "polygon", **it} for it in shapes],
    }
    path.write_text(json.dumps(document | changes))
    return path


def pixels(path: Path, choice: Choice = ANY) -> list[list[int]]:
    (mask,) = drawn(path, (6, 8), choice).values()
    return np.argwhere(mask == FOREGROUND).tolist()


def block(top: int, left: int, bottom: int, right: int) -> list[list[int]]:
    return [[y, x] for y in range(top, bottom) for x in range(left, right)]


def png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    "shape",
    [
        {"points": [[1, 2], [4, 2], [4, 5], [1, 5]]},
        {"points": [[4, 5], [1, 2]], "shape_type": "rectangle"},
        {"points": [[1, 2], [4, 2], [4, 5], [1, 5]], "shape_type": "rectangle"},
        {
            "points": [[1.0, 2.0], [3.0, 4.0]],
            "shape_type": "mask",
            "mask": png(np.ones((3, 3), bool)),
        },
    ],
    ids=["polygon", "rectangle by two corners", "rectangle by four", "mask"],
)
def test_shapes(tmp_path: Path, shape: dict[str, Any]) -> None:
    assert pixels(write(tmp_path / "a.json", shape)) == block(2, 1, 5, 4)


def test_a_circle_has_its_middle_and_a_point_of_its_rim(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"points": [[3, 3], [3, 5]], "shape_type": "circle"})
    expected = block(1, 2, 2, 4) + block(2, 1, 4, 5) + block(4, 2, 5, 4)
    assert pixels(path) == expected


def test_later_shapes_lie_on_top(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        {"points": [[0, 0], [4, 4]], "shape_type": "rectangle"},
        {"points": [[1, 1], [3, 3]], "shape_type": "rectangle", "label": "window"},
        {"points": [[0, 0], [1, 1]], "shape_type": "rectangle", "label": "_background_"},
    )
    whole, window = set(map(tuple, block(0, 0, 4, 4))), set(map(tuple, block(1, 1, 3, 3)))
    assert set(map(tuple, pixels(path, Choice(("car",))))) == whole - window - {(0, 0)}
    assert set(map(tuple, pixels(path, Choice(("window",))))) == window
    assert set(map(tuple, pixels(path, Choice(("car", "window"))))) == whole - {(0, 0)}


def test_ignored_regions(tmp_path: Path) -> None:
    rest = {"points": [[0, 0], [8, 6]], "shape_type": "rectangle", "label": "__ignore__"}
    path = write(tmp_path / "a.json", rest, {"points": [[0, 0], [1, 1]], "shape_type": "rectangle"})
    (mask,) = drawn(path, (6, 8)).values()
    assert mask[0, 0] == FOREGROUND and (mask == IGNORED).sum() == 47


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"points": [[1, 1], [2, 2]], "shape_type": "line"}, "a line encloses nothing"),
        ({"points": [[1, 1]], "shape_type": "point"}, "a point encloses nothing"),
        ({"points": [[1, 1], [2, 2]]}, "three points or more"),
        ({"points": [[1, 1]], "shape_type": "mask", "mask": "AAAA"}, "is damaged"),
        ({}, "its data is not as expected"),
    ],
)
def test_what_encloses_nothing_is_refused(
    tmp_path: Path, shape: dict[str, Any], reason: str
) -> None:
    (photo,) = read_annotations(write(tmp_path / "a.json", shape)).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask((6, 8), ANY)


def test_a_file_names_its_photo_and_is_called_after_it(tmp_path: Path) -> None:
    (photo,) = read_annotations(write(tmp_path / "b.json")).annotations
    assert photo.names == ("..\\photos\\a.jpg", "b")


def test_masks_written_are_masks_read(tmp_path: Path) -> None:
    masks = {"a.jpg": blobs(1), "in/b.jpg": blobs(2)}
    predicted = (PredictedMask(*it) for it in masks.items())
    write_labelme(tmp_path, predicted, "car", tolerance=0)
    files = [tmp_path / "a.json", tmp_path / "in" / "b.json"]
    for path, mask in zip(files, masks.values(), strict=True):
        (again,) = drawn(path, (40, 56)).values()
        assert np.array_equal(again == FOREGROUND, mask)
