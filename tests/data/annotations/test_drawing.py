from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import Choice, draw_masks
from car_segmentation.data.annotations.polygons import rectangle
from car_segmentation.data.annotations.regions import DrawnAnnotation, Label, Region
from car_segmentation.data.annotations.shapes import Polygon, Unreadable
from car_segmentation.data.masks import read_truth
from tests.support.annotations import ANY

SOURCE = Path("annotations.json")
LEFT, TOP = Polygon((rectangle(0, 0, 4, 6),)), Polygon((rectangle(0, 0, 8, 2),))


def annotated(photo: Path, *regions: Region, **options) -> tuple[Path, DrawnAnnotation]:
    photo.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6)).save(photo)
    return photo, DrawnAnnotation((photo.name,), SOURCE, regions, **options)


def region(name: str, shape=LEFT, **options) -> Region:
    return Region(Label(name), shape, **options)


def draw(tmp_path: Path, *annotations, choice: Choice = ANY) -> tuple[dict, dict]:
    photos = tmp_path / "photos"
    drawn = draw_masks(dict(annotations), photos, tmp_path / "masks", choice, max_megapixels=1)
    return drawn.masks, {photo.name: reason for photo, reason in drawn.problems}


def test_masks_lie_as_photos_do_and_are_read_as_masks(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    one = annotated(photos / "in" / "a.jpg", region("car"), region("car", TOP, ignored=True))
    two = annotated(photos / "a.jpg", region("car", TOP))
    masks, problems = draw(tmp_path, one, two)
    assert masks == {
        photos / "in" / "a.jpg": tmp_path / "masks" / "in" / "a.jpg.png",
        photos / "a.jpg": tmp_path / "masks" / "a.jpg.png",
    }
    assert not problems
    mask = read_truth(masks[one[0]])
    assert mask.foreground[:, :4].all() and mask.foreground.sum() == 24
    assert mask.ignored is not None and np.argwhere(mask.ignored).min(axis=0).tolist() == [0, 4]
    assert mask.ignored.sum() == 8
    assert read_truth(masks[two[0]]).ignored is None


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    damaged, _ = annotated(photos / "damaged.jpg")
    damaged.write_bytes(b"")
    masks, problems = draw(
        tmp_path,
        annotated(photos / "good.jpg", region("car")),
        annotated(photos / "box.jpg", region("car", Unreadable("it has a box and no outline"))),
        annotated(photos / "other size.jpg", region("car"), size=(60, 80)),
        annotated(photos / "bare.jpg"),
        (damaged, DrawnAnnotation(("damaged.jpg",), SOURCE, ())),
    )
    assert [it.name for it in masks] == ["good.jpg"]
    assert problems == {
        "box.jpg": "its annotation annotations.json has an object 'car' that cannot be drawn: it "
        "has a box and no outline",
        "other size.jpg": "its annotation annotations.json was annotated at 80×60 pixels, and the "
        "photo is 8×6",
        "bare.jpg": "is annotated, but shows nothing that is cut out",
        "damaged.jpg": "is empty (0 bytes)",
    }


def test_several_classes_need_a_choice(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    both = [
        annotated(photos / "a.jpg", region("car"), region("tree", TOP)),
        annotated(photos / "b.jpg", region("car")),
    ]
    with pytest.raises(UserError, match=r"car \(on 2 photos\), tree \(on 1 photos\).*\[car\]"):
        draw(tmp_path, *both)
    masks, problems = draw(tmp_path, *both, choice=Choice(("tree",)))
    assert read_truth(masks[both[0][0]]).foreground.sum() == 16
    assert problems == {"b.jpg": "is annotated, but shows nothing that is cut out"}


def test_a_choice_that_no_annotation_knows_is_refused(tmp_path: Path) -> None:
    one = annotated(tmp_path / "photos" / "a.jpg", region("car"), region("tree"))
    with pytest.raises(UserError, match=r"shows 'Car' or 3 .*The annotations have: car, tree"):
        draw(tmp_path, one, choice=Choice(("Car", 3)))
