from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.annotations import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Choice,
    read_annotations,
)
from car_segmentation.data.annotations.class_pictures import VOC_NAMES
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.label_map import voc_colour
from tests.support.annotations import ANY, drawn

CAR, PERSON, VOID = 7, 15, 255
NUMBERS = np.array([[0, CAR, CAR, VOID], [PERSON, PERSON, 0, 0]], np.uint8)
LABEL_MAP = """# label:color_rgb:parts:actions
background:0,0,0::
car:48,112,32::
price tag:250,250,55::
"""


def palette_picture(path: Path, numbers: np.ndarray, colours: Sequence[tuple] = ()) -> Path:
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([it for colour in colours or map(voc_colour, range(256)) for it in colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def values(folder: Path, choice: Choice = ANY) -> list[list[int]]:
    (mask,) = drawn(folder, NUMBERS.shape, choice).values()
    return mask.tolist()


def test_the_colours_of_voc() -> None:
    # As VOC's own devkit lists them (VOClabelcolormap).
    assert [voc_colour(it) for it in (1, 2, 8, 15, 20)] == [
        (128, 0, 0),
        (0, 128, 0),
        (64, 0, 0),
        (192, 128, 128),
        (0, 64, 128),
    ]
    assert VOC_NAMES[(128, 128, 128)] == "car"


@pytest.mark.parametrize(
    ("mode", "chosen"), [("P", "car"), ("P", 7), ("RGB", "car"), ("L", "car"), ("L", 7)]
)
def test_voc(tmp_path: Path, mode: str, chosen: str | int) -> None:
    path = palette_picture(tmp_path / "VOC2012" / "SegmentationClass" / "a.png", NUMBERS)
    if mode == "RGB":
        Image.open(path).convert("RGB").save(path)
    elif mode == "L":
        Image.fromarray(NUMBERS).save(path)
    assert values(tmp_path, Choice((chosen,))) == [
        [BACKGROUND, FOREGROUND, FOREGROUND, IGNORED],
        [BACKGROUND] * 4,
    ]


def test_what_is_found_is_named(tmp_path: Path) -> None:
    palette_picture(tmp_path / "SegmentationClass" / "in" / "a.b.png", NUMBERS)
    (photo,) = read_annotations(tmp_path).annotations
    assert photo.names == ("in/a.b",)
    assert photo.mask((2, 4), ANY)[1] == {("car", CAR), ("person", PERSON)}


def test_objects_are_united_where_there_are_no_classes(tmp_path: Path) -> None:
    numbers = np.array([[0, 1, 2, VOID], [3, 3, 0, 0]], np.uint8)
    palette_picture(tmp_path / "SegmentationObject" / "a.png", numbers)
    expected = [[BACKGROUND, FOREGROUND, FOREGROUND, IGNORED], [FOREGROUND] * 2 + [BACKGROUND] * 2]
    assert values(tmp_path) == expected
    palette_picture(tmp_path / "SegmentationClass" / "a.png", NUMBERS)
    assert values(tmp_path, Choice(("car",)))[1] == [BACKGROUND] * 4


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_cvats_colours(tmp_path: Path, mode: str) -> None:
    colours = [(0, 0, 0), (250, 250, 55), (48, 112, 32)]
    numbers = np.array([[0, 2, 2, 1], [0, 0, 0, 0]], np.uint8)
    path = palette_picture(tmp_path / "SegmentationClass" / "a.png", numbers, colours)
    Image.open(path).convert(mode).save(path)
    (tmp_path / "labelmap.txt").write_text(LABEL_MAP)
    car = Choice(("car",))
    assert values(tmp_path, car)[0] == [BACKGROUND, FOREGROUND, FOREGROUND, BACKGROUND]
    both = Choice(("car", "price tag"))
    assert values(tmp_path, both)[0] == [BACKGROUND, *[FOREGROUND] * 3]
    assert values(tmp_path, Choice(("car",), ("price tag",)))[0][3] == IGNORED


def test_classes_without_a_colour_have_vocs(tmp_path: Path) -> None:
    path = palette_picture(tmp_path / "SegmentationClass" / "a.png", NUMBERS // CAR % 3)
    Image.open(path).convert("RGB").save(path)
    (tmp_path / "labelmap.txt").write_text("# label\nbackground:::\nvan:::\nbus:::\n")
    assert values(tmp_path, Choice(("van",)))[0] == [0, FOREGROUND, FOREGROUND, 0]


def test_grey_numbers_are_lines_of_the_label_map(tmp_path: Path) -> None:
    (tmp_path / "SegmentationClass").mkdir()
    (tmp_path / "labelmap.txt").write_text(LABEL_MAP)
    numbers = np.array([[0, 1, 2, 0], [0, 0, 0, 0]], np.uint8)
    Image.fromarray(numbers).save(tmp_path / "SegmentationClass" / "a.png")
    assert values(tmp_path, Choice(("price tag",)))[0] == [0, 0, FOREGROUND, 0]


def test_numbers_without_names(tmp_path: Path) -> None:
    (tmp_path / "SegmentationClass").mkdir()
    numbers = np.array([[0, 300, 300, 0], [0, 0, 0, 0]], np.uint16)
    Image.fromarray(numbers).save(tmp_path / "SegmentationClass" / "a.png")
    assert values(tmp_path, Choice((300,)))[0] == [0, FOREGROUND, FOREGROUND, 0]


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (
            np.full((2, 4, 3), 9, np.uint8),
            r"a colour that is not a known class: \(9, 9, 9\) \(a labelmap",
        ),
        (np.zeros((4, 2), np.uint8), "is 2×4 pixels, and the photo is 4×2"),
    ],
)
def test_what_is_no_picture_of_classes_is_refused(
    tmp_path: Path, pixels: np.ndarray, reason: str
) -> None:
    (tmp_path / "SegmentationClass").mkdir()
    Image.fromarray(pixels).save(tmp_path / "SegmentationClass" / "a.png")
    (photo,) = read_annotations(tmp_path).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask((2, 4), ANY)


def test_damaged_pictures_and_jpegs(tmp_path: Path) -> None:
    path = palette_picture(tmp_path / "SegmentationClass" / "a.png", NUMBERS)
    path.write_bytes(path.read_bytes()[:-30])
    jpeg = path.with_name("b.jpg")
    jpeg.touch()
    found = read_annotations(tmp_path)
    assert found.problems == [(jpeg, "is not a PNG: JPEGs blur the borders of classes")]
    with pytest.raises(UnusableImage, match="is truncated or damaged"):
        found.annotations[0].mask((2, 4), ANY)
