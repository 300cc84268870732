import json
import logging
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import (
    FOREGROUND,
    Choice,
    PredictedMask,
    labelling_interface,
    read_annotations,
    write_label_studio,
)
from car_segmentation.data.annotations.brush import encode_brush
from car_segmentation.data.image_files import UnusableImage
from tests.support.annotations import ANY, blobs, drawn

SIZE = (10, 20)
MASK = blobs(1, *SIZE)


def brush(mask: np.ndarray = MASK, label: str = "Car") -> dict[str, Any]:
    value = {"format": "rle", "rle": list(encode_brush(mask)), "brushlabels": [label]}
    return {"type": "brushlabels", "value": value}


def rectangle(left: float, rotation: float = 0, **value: Any) -> dict[str, Any]:
    """The right half of the photo from ``left`` percent on, upper half."""
    value = {"x": left, "y": 0, "width": 50, "height": 50, "rotation": rotation, **value}
    return {"type": "rectanglelabels", "value": {"rectanglelabels": ["Car"], **value}}


def task(*results: dict[str, Any], number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "data": {"image": f"/data/upload/3/0123abcd-a{number}.jpg"},
        "annotations": [annotation(*results)],
        **changes,
    }


def annotation(*results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    common = {"original_height": SIZE[0], "original_width": SIZE[1], "to_name": "image"}
    return {"result": [{**common, "id": f"r{i}", **it} for i, it in enumerate(results)], **changes}


def write(path: Path, *tasks: dict[str, Any]) -> Path:
    path.write_text(json.dumps(tasks))
    return path


def only(path: Path, choice: Choice = ANY) -> np.ndarray:
    (mask,) = drawn(path, SIZE, choice).values()
    return mask == FOREGROUND


def test_brushes(tmp_path: Path) -> None:
    other = blobs(2, *SIZE)
    path = write(tmp_path / "a.json", task(brush(), brush(other), brush(~MASK, "Tree")))
    assert np.array_equal(only(path, Choice(("Car",))), MASK | other)


def test_polygons_are_in_percent(tmp_path: Path) -> None:
    points = [[10, 20], [50, 20], [50, 80], [10, 80]]
    value = {"points": points, "closed": True, "polygonlabels": ["Car"]}
    path = write(tmp_path / "a.json", task({"type": "polygonlabels", "value": value}))
    expected = np.zeros(SIZE, bool)
    expected[2:8, 2:10] = True
    assert np.array_equal(only(path), expected)


def test_rectangles_are_turned_about_their_first_corner(tmp_path: Path) -> None:
    upright = only(write(tmp_path / "a.json", task(rectangle(50))))
    assert np.argwhere(upright).tolist() == [[y, x] for y in range(5) for x in range(10, 20)]
    # Its 10 by 5 pixels turned by a quarter lie left of the corner, 5 wide.
    turned = only(write(tmp_path / "b.json", task(rectangle(50, rotation=90))))
    assert np.argwhere(turned).tolist() == [[y, x] for y in range(10) for x in range(5, 10)]


def test_ellipses(tmp_path: Path) -> None:
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 40, "ellipselabels": ["Car"]}
    mask = only(write(tmp_path / "a.json", task({"type": "ellipselabels", "value": value})))
    assert np.flatnonzero(mask.any(axis=0)).tolist() == list(range(5, 15))
    assert np.flatnonzero(mask.any(axis=1)).tolist() == list(range(1, 9))


def test_a_label_may_be_a_result_of_its_own(tmp_path: Path) -> None:
    shape = {
        "id": "x",
        "type": "brush",
        "value": {"format": "rle", "rle": list(encode_brush(MASK))},
    }
    label = {"id": "x", "type": "labels", "value": {"labels": ["Car"]}}
    path = write(tmp_path / "a.json", task(shape, label))
    assert np.array_equal(only(path, Choice(("Car",))), MASK)


def test_choices_mark_nothing(tmp_path: Path) -> None:
    choice = {"type": "choices", "to_name": "text", "value": {"choices": ["good"]}}
    assert np.array_equal(only(write(tmp_path / "a.json", task(choice, brush()))), MASK)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"type": "keypointlabels", "value": {"x": 1, "y": 2, "width": 1}}, "a point encloses"),
        ({"value": {"points": [[1, 2], [3, 4], [5, 9]], "closed": False}}, "is not closed"),
        ({**rectangle(0), "image_rotation": 90}, "on the photo turned round"),
        ({"value": {"format": "rle", "rle": [1, 2]}}, "is cut off"),
        ({"value": {"format": "rle", "rle": [1, 2000]}}, "range"),
        ({"value": {"vertices": [1]}}, "a point encloses nothing"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, result: dict[str, Any], reason: str
) -> None:
    (photo,) = read_annotations(write(tmp_path / "a.json", task(result))).annotations
    with pytest.raises(UnusableImage, match=reason):
        photo.mask(SIZE, ANY)


def test_the_ground_truth_counts_or_else_the_newest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = annotation(brush(blobs(5, *SIZE)), updated_at="2024-01-01T10:00:00Z")
    new = annotation(brush(MASK), updated_at="2024-01-02T09:00:00Z")
    cancelled = annotation(brush(~MASK), updated_at="2025", was_cancelled=True)
    with caplog.at_level(logging.WARNING):
        path = write(tmp_path / "a.json", task(annotations=[new, old, cancelled]))
        assert np.array_equal(only(path), MASK)
    assert "1 tasks have several annotations" in caplog.text
    path = write(tmp_path / "b.json", task(annotations=[new, {**old, "ground_truth": True}]))
    assert np.array_equal(only(path), blobs(5, *SIZE))


def test_tasks_that_nobody_annotated_are_left_out_and_predictions_never_count(
    tmp_path: Path,
) -> None:
    bare = task(number=2, annotations=[], predictions=[annotation(brush())])
    found = read_annotations(write(tmp_path / "a.json", task(brush()), bare))
    assert [it.names[-1] for it in found.annotations] == ["/data/upload/3/0123abcd-a1.jpg"]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"image": "/x/0123abcd-a.jpg"}, ["/x/0123abcd-a.jpg"]),
        ({"image": "/data/local-files/?d=in/a%20b.jpg"}, ["in/a b.jpg"]),
        ({"image": "s3://bucket/in/a.png", "text": "hello"}, ["/in/a.png"]),
        ({"image": "http://localhost/x/a.jpg?v=2", "thumbnail": "/t.jpg"}, ["/x/a.jpg"]),
        ({"photo": "a.webp"}, ["a.webp"]),
    ],
    ids=["upload", "local files", "cloud", "several", "a name"],
)  # fmt: skip
def test_the_photo_of_a_task(tmp_path: Path, data: dict[str, str], names: list[str]) -> None:
    (photo,) = read_annotations(write(tmp_path / "a.json", task(brush(), data=data))).annotations
    assert list(photo.names) == names


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"text": "hello"}}, "has a task 2 that names no photos"),
        ({"data": {"one": "a.jpg", "two": "b.jpg"}}, "has a task 2 that names 2 photos"),
        (
            {"annotations": [annotation(brush(), {**brush(), "to_name": "second"})]},
            "has a task 2 that marks several photos",
        ),
    ],
)
def test_tasks_without_one_photo_are_named(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "a.json", task(brush()), task(brush(), number=2) | changes)
    found = read_annotations(path)
    assert found.problems == [(path, reason)]
    assert len(found.annotations) == 1


def test_json_min(tmp_path: Path) -> None:
    record = {
        "image": "/data/upload/3/0123abcd-a.jpg",
        "id": 1,
        "tag": [
            {**brush()["value"], "original_width": SIZE[1], "original_height": SIZE[0]},
            {**rectangle(50)["value"], "original_width": SIZE[1], "original_height": SIZE[0]},
        ],
        "choice": "good",
        "annotation_id": 4,
        "updated_at": "2024-01-01",
    }
    older = record | {"tag": [], "annotation_id": 3, "updated_at": "2023-01-01"}
    mask = only(write(tmp_path / "a.json", record, older))
    expected = MASK.copy()
    expected[:5, 10:] = True
    assert np.array_equal(mask, expected)


def test_exported_pictures_of_brushes_name_no_photo(tmp_path: Path) -> None:
    (tmp_path / "task-1-annotation-2-by-me@here.org-tag-Car-0.png").touch()
    with pytest.raises(UserError, match="not a photo: export JSON, which has it all"):
        read_annotations(tmp_path)
    write(tmp_path / "a.json", task(brush()))
    found = read_annotations(tmp_path)
    assert len(found.annotations) == 1 and not found.problems


def test_predictions_written_are_predictions(tmp_path: Path) -> None:
    masks = [PredictedMask("in/a.jpg", MASK, 0.5), PredictedMask("b.jpg", np.zeros(SIZE, bool))]
    path = tmp_path / "tasks.json"
    write_label_studio(path, masks, "Car", "/data/local-files/?d={}".format, "champion 3")
    tasks = json.loads(path.read_text())
    (prediction,) = tasks[0]["predictions"]
    assert (prediction["score"], prediction["model_version"]) == (0.5, "champion 3")
    assert tasks[1]["predictions"] == [{"model_version": "champion 3", "result": []}]
    # What a person accepts comes back as an annotation.
    accepted = [{**it, "annotations": it.pop("predictions")} for it in tasks]
    again = drawn(write(tmp_path / "a.json", *accepted), SIZE)
    assert list(again) == ["in/a.jpg", "b.jpg"]
    assert np.array_equal(again["in/a.jpg"] == FOREGROUND, MASK)
    assert not again["b.jpg"].any()


def test_no_tasks_are_an_empty_list(tmp_path: Path) -> None:
    write_label_studio(tmp_path / "a.json", [], "Car", str, "1")
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_the_interface_has_the_tags_that_predictions_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_label_studio(path, [PredictedMask("a.jpg", MASK)], "Car", str, "1")
    (result,) = json.loads(path.read_text())[0]["predictions"][0]["result"]
    view = ElementTree.fromstring(labelling_interface("Car"))
    brush_tag, image_tag = view.find("BrushLabels"), view.find("Image")
    assert brush_tag is not None and image_tag is not None
    assert brush_tag.attrib == {"name": result["from_name"], "toName": result["to_name"]}
    assert image_tag.get("name") == result["to_name"]
    assert [it.get("value") for it in brush_tag] == result["value"]["brushlabels"]
