import unicodedata
from pathlib import Path

import pytest

from car_segmentation.data.annotations import match_photos
from car_segmentation.data.annotations.regions import DrawnAnnotation

SOURCE = Path("annotations.json")


def named(*names: str) -> DrawnAnnotation:
    return DrawnAnnotation(names, SOURCE, ())


@pytest.mark.parametrize(
    ("photo", "names"),
    [
        ("photos/a.jpg", ("a.jpg",)),
        ("photos/a.JPG", ("a",)),
        ("photos/a.png", ("C:\\work\\a.jpg",)),
        ("photos/a.b.jpg", ("a.b",)),
        ("photos/a.jpg", ("gone.jpg", "a")),
        ("photos/My Car (1).jpg", ("/data/upload/1/0123abcd-My_Car_1.jpg",)),
        ("photos/0123abcd-a.jpg", ("in/0123abcd-a.jpg",)),
        ("photos/a.jpg", ("../upload/1/0123abcd-a.jpg",)),
        ("photos/in/a.jpg", ("labels/in/a",)),
        (
            unicodedata.normalize("NFC", "photos/café.jpg"),
            (unicodedata.normalize("NFD", "café.jpg"),),
        ),
    ],
)
def test_names_that_mean_a_photo(photo: str, names: tuple[str, ...]) -> None:
    others = [Path("photos/other.jpg"), Path("photos/Thumbs.db")]
    annotation = named(*names)
    matched = match_photos([annotation], [Path(photo), *others])
    assert matched.by_photo == {Path(photo): annotation}
    assert not matched.problems


def test_folders_tell_photos_of_one_name_apart() -> None:
    photos = [Path("p/chair-1/front.jpg"), Path("p/chair-2/front.jpg")]
    one, two = named("images/chair-1/front.jpg"), named("chair-2/front.jpg")
    assert match_photos([one, two], photos).by_photo == dict(zip(photos, (one, two), strict=True))


def test_what_is_not_clear_is_named() -> None:
    photos = [Path("p/1/front.jpg"), Path("p/2/front.jpg"), Path("p/back.jpg")]
    twice = named("back.jpg")
    matched = match_photos([named("front.jpg"), named("left.jpg"), named(), twice, twice], photos)
    assert matched.by_photo == {}
    assert matched.problems == [
        (SOURCE, "annotates 'front.jpg', which may be p/1/front.jpg, p/2/front.jpg"),
        (SOURCE, "annotates 'left.jpg', which is not among the photos"),
        (SOURCE, "annotates a photo without a name, which is not among the photos"),
        (photos[2], "is annotated 2 times (annotations.json)"),
    ]
