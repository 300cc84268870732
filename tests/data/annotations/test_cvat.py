from pathlib import Path

import numpy as np
import pytest

from car_segmentation.data.annotations import FOREGROUND, Choice, read_annotations
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, drawn

DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><labels><label><name>car</name></label></labels></task></meta>
  <image id="0" name="in/a.jpg" width="8" height="6">{}</image>
  <image id="1" name="b.jpg" width="8" height="6"><tag label="empty"/></image>
</annotations>"""


def write(path: Path, *shapes: str) -> Path:
    path.write_text(DOCUMENT.format("".join(shapes)))
    return path


def pixels(path: Path, choice: Choice = ANY) -> list[list[int]]:
    masks = drawn(path, (6, 8), choice)
    assert not masks["b.jpg"].any()
    return np.argwhere(masks["in/a.jpg"] == FOREGROUND).tolist()


BLOCK = [[y, x] for y in range(2, 5) for x in range(1, 4)]


@pytest.mark.parametrize(
    "shape",
    [
        '<polygon label="car" points="1.00,2.00;4.00,2.00;4.00,5.00;1.00,5.00" z_order="0"/>',
        '<box label="car" xtl="1" ytl="2" xbr="4" ybr="5"><attribute name="x">1</attribute></box>',
        '<mask label="car" rle="0, 9" left="1" top="2" width="3" height="3"/>',
        '<mask label="car" rle="6, 3, 2, 3, 2, 3, 1" left="0" top="1" width="5" height="4"/>',
    ],
)
def test_shapes(tmp_path: Path, shape: str) -> None:
    assert pixels(write(tmp_path / "annotations.xml", shape)) == BLOCK


def test_higher_objects_hide_lower_ones_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    over = '<box label="tree" xtl="1" ytl="2" xbr="4" ybr="3" z_order="{}"/>'
    under = '<box label="car" xtl="1" ytl="2" xbr="4" ybr="5" z_order="1"/>'
    car = Choice(("car",))
    assert pixels(write(tmp_path / "a.xml", over.format(2), under), car) == BLOCK[3:]
    assert pixels(write(tmp_path / "b.xml", over.format(0), under), car) == BLOCK


def test_an_ellipse(tmp_path: Path) -> None:
    shape = '<ellipse label="car" cx="4" cy="3" rx="1" ry="2"/>'
    expected = [[y, x] for y in range(1, 5) for x in (3, 4)]
    assert pixels(write(tmp_path / "a.xml", shape)) == expected


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ('<polyline label="car" points="1,1;2,2;3,3"/>', "a polyline encloses nothing"),
        ('<box label="car" xtl="1" ytl="2" xbr="4" ybr="3" rotation="9"/>', "turned box"),
        ('<mask label="car" rle="1, 2" left="0" top="0" width="3" height="3"/>', "add up to 3"),
        ('<polygon label="car" points="1,1;2,b;3,3"/>', "could not convert"),
        ('<polygon label="car"/>', "its data is not as expected"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, shape: str, reason: str) -> None:
    photo, _ = read_annotations(write(tmp_path / "a.xml", shape)).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask((6, 8), ANY)
