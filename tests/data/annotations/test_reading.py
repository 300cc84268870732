import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import read_annotations
from car_segmentation.data.annotations.reading import JSON_FORMATS
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.parameters import AnnotationFormat
from tests.support.annotations import ANY

COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 6}],
    "categories": [{"id": 1, "name": "car"}],
    "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 3]]}],
}
LABELME = {
    "shapes": [{"label": "car", "points": [[0, 0], [3, 0], [3, 3]]}],
    "imagePath": "a.jpg",
    "imageHeight": 4,
    "imageWidth": 6,
}
POLYGON = {"points": [[0, 0], [50, 0], [50, 75]], "polygonlabels": ["car"]}
LABEL_STUDIO = [{"data": {"image": "a.jpg"}, "annotations": [{"result": [{"value": POLYGON}]}]}]
SUPERVISELY = {"size": {"height": 4, "width": 6}, "objects": []}
DOCUMENTS = {
    "coco": COCO,
    "labelme": LABELME,
    "label_studio": LABEL_STUDIO,
    "supervisely": SUPERVISELY,
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_format_is_told_by_content_and_read_under_its_own_name_alone(
    tmp_path: Path, kind: AnnotationFormat
) -> None:
    path = tmp_path / "a.jpg.json"
    path.write_text(json.dumps(DOCUMENTS[kind]))
    for it in ("auto", kind):
        assert len(read_annotations(path, it).annotations) == 1
        assert len(read_annotations(tmp_path, it).annotations) == 1
    other = "coco" if kind != "coco" else "labelme"
    with pytest.raises(UserError, match=f"no annotated photos of the format {other}"):
        read_annotations(path, other)


def test_every_format_has_a_name_and_every_json_format_a_document() -> None:
    assert set(JSON_FORMATS) == set(DOCUMENTS) < set(get_args(AnnotationFormat))


def test_in_a_folder_what_is_not_understood_is_named(tmp_path: Path) -> None:
    files = {
        "in/a.json": json.dumps(LABELME),
        "b.json": "{",
        "c.json": '{"hello": 1}',
        "d.json": json.dumps(COCO | {"images": [3]}),
        "e.xml": "<annotation><object/></annotation>",
        "f.xml": "no xml",
        ".hidden.json": "{",
        "notes.json": "{}",
        "a.jpg": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = read_annotations(tmp_path)
    assert [it.source.name for it in found.annotations] == ["a.json"]
    reasons = {path.name: reason for path, reason in found.problems}
    assert sorted(reasons) == ["b.json", "c.json", "d.json", "e.xml", "f.xml"]
    assert reasons["b.json"].startswith("is not JSON")
    assert reasons["c.json"] == "is JSON of no format that is understood"
    assert reasons["d.json"].startswith("is damaged")
    assert "Pascal VOC's has boxes alone, which give no masks" in reasons["e.xml"]
    assert reasons["f.xml"].startswith("is not XML")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.json", r"there is no .*gone\.json"),
        ("a.zip", "a.zip is neither a folder nor a .json nor an .xml: unzip it first"),
        ("empty", r"holds no annotated photos\.\nSupported: COCO, LabelMe"),
        ("a.json", "is JSON of no format that is understood"),
    ],
)
def test_nothing_understood_is_said_in_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a.zip").touch()
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=said):
        read_annotations(tmp_path / name)


def test_a_label_map_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "SegmentationClass").mkdir()
    (tmp_path / "labelmap.txt").write_text("car\n")
    with pytest.raises(UserError, match="has a line that is not NAME:RED,GREEN,BLUE: 'car'"):
        read_annotations(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.sampled_from(["car", "a"]),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(max_size=3), it, max_size=2),
    max_leaves=5,
)


def mutated(draw, document):
    """A document with some of its values replaced or removed."""
    if draw(st.integers(0, 19)) == 0:
        return draw(JSON)
    if isinstance(document, dict):
        kept = {key: it for key, it in document.items() if draw(st.integers(0, 19))}
        return {key: mutated(draw, it) for key, it in kept.items()}
    return [mutated(draw, it) for it in document] if isinstance(document, list) else document


@given(st.data(), st.sampled_from(sorted(DOCUMENTS)))
def test_damaged_documents_end_in_a_sentence(tmp_path_factory, data, kind: str) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.json"
    path.write_text(json.dumps(mutated(data.draw, DOCUMENTS[kind])))
    try:
        annotations = read_annotations(path).annotations
    except UserError:
        return
    for annotation in annotations:
        try:
            assert annotation.mask((4, 6), ANY)[0].shape == (4, 6)
        except UnusableImage:
            continue
