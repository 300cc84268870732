import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.annotations import FOREGROUND, read_annotations
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, drawn


def write(folder: Path, *objects: dict[str, Any]) -> Path:
    path = folder / "ds" / "ann" / "a.jpg.json"
    path.parent.mkdir(parents=True)
    document = {
        "size": {"height": 6, "width": 8},
        "objects": [{"classTitle": "car", **it} for it in objects],
    }
    path.write_text(json.dumps(document))
    (folder / "meta.json").write_text("{}")
    return folder


def bitmap(pixels: np.ndarray, zipped: Any = zlib.compress) -> dict[str, Any]:
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    picture.save(file, "PNG", transparency=0)
    data = base64.b64encode(zipped(file.getvalue())).decode()
    return {"geometryType": "bitmap", "bitmap": {"data": data, "origin": [2, 1]}}


def pixels(folder: Path) -> list[list[int]]:
    masks = drawn(folder, (6, 8))
    assert list(masks) == ["a.jpg"]
    return np.argwhere(masks["a.jpg"] == FOREGROUND).tolist()


def test_bitmaps_lie_at_their_origin(tmp_path: Path) -> None:
    shape = np.array([[1, 0], [1, 1]], bool)
    assert pixels(write(tmp_path, bitmap(shape))) == [[1, 2], [2, 2], [2, 3]]


def test_polygons_have_holes(tmp_path: Path) -> None:
    points = {
        "exterior": [[0, 0], [4, 0], [4, 4], [0, 4]],
        "interior": [[[1, 1], [3, 1], [3, 3], [1, 3]]],
    }
    found = pixels(write(tmp_path, {"geometryType": "polygon", "points": points}))
    assert len(found) == 16 - 4 and [1, 1] not in found


def test_rectangles(tmp_path: Path) -> None:
    points = {"exterior": [[1, 2], [3, 4]], "interior": []}
    found = pixels(write(tmp_path, {"geometryType": "rectangle", "points": points}))
    assert found == [[2, 1], [2, 2], [3, 1], [3, 2]]


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        ({"geometryType": "line", "points": {}}, "a line encloses nothing"),
        (bitmap(np.ones((2, 2), bool), zipped=bytes), "is damaged"),
        (bitmap(np.ones((9, 2), bool)), "is 2×9 pixels, and the photo 8×6"),
        ({}, "its data is not as expected"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, thing: dict[str, Any], reason: str
) -> None:
    (photo,) = read_annotations(write(tmp_path, thing)).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask((6, 8), ANY)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(200_000_000))).decode()
    thing = {"geometryType": "bitmap", "bitmap": {"data": bomb, "origin": [0, 0]}}
    (photo,) = read_annotations(write(tmp_path, thing)).annotations
    with pytest.raises(UnusableImage, match="is damaged"):
        photo.mask((6, 8), ANY)
