"""Tasks for each labelling tool, and what comes back of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import PredictedMask, write_coco
from car_segmentation.data.annotations.brush import encode_brush
from car_segmentation.data.corrections import mask_file, read_corrections
from car_segmentation.data.labelling_tasks import (
    MASKS,
    PHOTOS,
    TAKEN,
    UNCHANGED,
    RawFolders,
    Task,
    Tool,
    read_tasks,
    take_corrections,
    write_tasks,
)
from car_segmentation.data.masks import Mask, encode_mask, read_mask
from tests.support.annotations import blobs, drawn

SIZE = (40, 56)
NAMES = ("a.jpg", "day 1/b c.jpg", "empty.jpg")
URL = "/data/local-files/?d=photos/{photo}"


def handed_out(number: int) -> np.ndarray:
    mask = blobs(number, *SIZE)
    return mask if number < 2 else np.zeros(SIZE, bool)


def make_tasks(folder: Path) -> list[Task]:
    tasks = []
    for number, name in enumerate(NAMES):
        photo, mask = folder / "new" / name, mask_file(folder / "predicted", name)
        for file in (photo, mask):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1], (number, 0, 0)).save(photo)
        mask.write_bytes(encode_mask(Mask(handed_out(number))))
        tasks.append(Task(name, photo, mask, "prediction of model 12ab", "marked to edit"))
    return tasks


def export(folder: Path, tool: Tool) -> Path:
    tasks = folder / "tasks"
    write_tasks(tasks, make_tasks(folder), tool, "car", URL)
    return tasks


def take(folder: Path, annotated: Path | None, annotator: str = "") -> dict[str, str]:
    raw = RawFolders(folder / "raw/train", folder / "raw/corrections")
    outcome = take_corrections(folder / "tasks", annotated, "auto", annotator, raw, 1.0)
    return dict(zip(outcome["photo"], outcome["outcome"], strict=True))


def corrected(folder: Path) -> dict[str, np.ndarray]:
    """The corrected masks that data_processing would find."""
    corrections = folder / "raw/corrections"
    return {
        name: read_mask(mask_file(corrections, name))
        for name in read_corrections(corrections)["photo"]
    }


def annotated(task: dict[str, Any], mask: np.ndarray | None, **changes: Any) -> dict[str, Any]:
    """A task as Label Studio exports it, annotated with a brush or with nothing."""
    value = None if mask is None else {"format": "rle", "rle": list(encode_brush(mask))}
    result = [] if value is None else [{"value": value | {"brushlabels": ["car"]}, "id": "r"}]
    common = {"type": "brushlabels", "to_name": "image", "original_height": SIZE[0]}
    result = [{**common, "original_width": SIZE[1], **it} for it in result]
    version = {"result": result, "completed_by": {"id": 3, "email": "a@example.com"}, **changes}
    return {"data": task["data"], "annotations": [{"updated_at": "2026-03-04T05:06:07Z"} | version]}


def test_a_folder_of_tasks_holds_photos_and_masks(tmp_path: Path) -> None:
    tasks = export(tmp_path, "label_studio")
    table = read_tasks(tasks)
    assert table["photo"].tolist() == list(NAMES)
    assert set(table["mask_from"]) == {"prediction of model 12ab"}
    for number, name in enumerate(NAMES):
        assert (tasks / PHOTOS / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
        assert np.array_equal(read_mask(mask_file(tasks / MASKS, name)), handed_out(number))
    documents = json.loads((tasks / "tasks.json").read_text())
    addresses = [it["data"]["image"] for it in documents]
    assert addresses[1] == "/data/local-files/?d=photos/day%201/b%20c.jpg"
    assert [len(it["predictions"][0]["result"]) for it in documents] == [1, 1, 0]
    assert 'Label value="car"' in (tasks / "interface.xml").read_text()


def test_a_folder_in_use_is_not_written_over(tmp_path: Path) -> None:
    tasks = export(tmp_path, "labelme")
    with pytest.raises(UserError, match=f"{tasks} is not empty"):
        write_tasks(tasks, make_tasks(tmp_path), "labelme", "car", URL)


def test_label_studios_finished_annotations_come_back(tmp_path: Path) -> None:
    tasks = export(tmp_path, "label_studio")
    first, second, third = json.loads((tasks / "tasks.json").read_text())
    truth = blobs(7, *SIZE)
    file = tmp_path / "export.json"
    skipped = annotated(third, truth, was_cancelled=True)
    file.write_text(json.dumps([annotated(first, truth), annotated(second, None), skipped]))
    assert take(tmp_path, file) == {
        "a.jpg": TAKEN,
        "day 1/b c.jpg": "is annotated, but shows nothing that is cut out",
        "empty.jpg": "has no finished annotation in export.json",
    }
    assert np.array_equal(corrected(tmp_path)["a.jpg"], truth)
    row = read_corrections(tmp_path / "raw/corrections").iloc[0]
    assert row[["photo", "mask_from", "tool", "source"]].tolist() == [
        *("a.jpg", "prediction of model 12ab", "label_studio", "export.json")
    ]
    assert row[["annotator", "date"]].tolist() == ["a@example.com", "2026-03-04T05:06:07Z"]
    before = handed_out(0)
    dice = 2 * (before & truth).sum() / (before.sum() + truth.sum())
    assert row["dice"] == pytest.approx(dice, abs=1e-6)
    assert [it.name for it in (tmp_path / "raw/train").rglob("*")] == ["a.jpg"]


def test_label_studios_mask_that_is_right_as_it_was_counts(tmp_path: Path) -> None:
    tasks = export(tmp_path, "label_studio")
    first, *_ = json.loads((tasks / "tasks.json").read_text())
    file = tmp_path / "export.json"
    file.write_text(json.dumps([annotated(first, handed_out(0))]))
    assert take(tmp_path, file)["a.jpg"] == TAKEN
    assert read_corrections(tmp_path / "raw/corrections")["dice"].tolist() == [1.0]


def test_a_coco_file_comes_back_where_masks_were_changed(tmp_path: Path) -> None:
    tasks = export(tmp_path, "cvat")
    handed = drawn(tasks / "annotations.json", SIZE)
    assert np.array_equal(handed["a.jpg"] == 255, handed_out(0))
    truth = blobs(7, *SIZE)
    masks = [PredictedMask(NAMES[0], handed_out(0)), PredictedMask(NAMES[1], truth)]
    write_coco(tmp_path / "instances.json", masks, "car")
    assert take(tmp_path, tmp_path / "instances.json", "Ann") == {
        "a.jpg": UNCHANGED,
        "day 1/b c.jpg": TAKEN,
        "empty.jpg": "has no finished annotation in instances.json",
    }
    assert np.array_equal(corrected(tmp_path)["day 1/b c.jpg"], truth)
    assert read_corrections(tmp_path / "raw/corrections")["annotator"].tolist() == ["Ann"]


def test_labelmes_files_come_back_from_beside_the_photos(tmp_path: Path) -> None:
    tasks = export(tmp_path, "labelme")
    file = tasks / PHOTOS / "a.json"
    document = json.loads(file.read_text())
    rectangle = [[4, 5], [20, 5], [20, 30], [4, 30]]
    document["shapes"] = [{"label": "car", "points": rectangle, "shape_type": "polygon"}]
    file.write_text(json.dumps(document))
    assert take(tmp_path, None) == {
        "a.jpg": TAKEN,
        "day 1/b c.jpg": UNCHANGED,
        "empty.jpg": "is annotated, but shows nothing that is cut out",
    }
    expected = np.zeros(SIZE, bool)
    expected[5:30, 4:20] = True
    assert np.array_equal(corrected(tmp_path)["a.jpg"], expected)


def test_another_photo_of_the_same_name_is_kept(tmp_path: Path) -> None:
    tasks = export(tmp_path, "cvat")
    own = tmp_path / "raw/train/a.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"another photo")
    write_coco(tmp_path / "new.json", [PredictedMask("a.jpg", blobs(7, *SIZE))], "car")
    assert take(tmp_path, tmp_path / "new.json")["a.jpg"].startswith("is not the photo that ")
    assert own.read_bytes() == b"another photo"
    assert read_corrections(tmp_path / "raw/corrections").empty
    assert read_tasks(tasks)["photo"].tolist() == list(NAMES)


def test_what_was_exported_must_be_named(tmp_path: Path) -> None:
    export(tmp_path, "cvat")
    with pytest.raises(UserError, match=r"labelling\.annotated=FILE"):
        take(tmp_path, None)


def test_a_folder_without_tasks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"There are no tasks in {tmp_path}/tasks"):
        take(tmp_path, None)
