"""Masks to a labelling tool and back, after a whole run: new photos, and suspected label errors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from car_segmentation.core.tables import read_table
from car_segmentation.data.annotations.brush import encode_brush
from car_segmentation.data.corrections import Correction, add_corrections, mask_file
from car_segmentation.data.masks import Mask, encode_mask, read_mask
from tests.support.photos import SIZE, disc_mask, photo_of, write_pair
from tests.support.projects import Project, mlflow_runs

pytestmark = pytest.mark.slow  # Several runs each.

TEXT = ["photo_id", "car", "photo_path", "mask_path", "split"]


def splits(project: Project) -> dict[str, str]:
    table = read_table(project.results / "05_model_input/photo_splits.csv", others="text")
    return dict(zip(table["photo_id"], table["mask_path"], strict=True))


def write_new_car(folder: Path) -> dict[str, np.ndarray]:
    masks = {f"00000000000a_{view:02d}.jpg": disc_mask(radius=12 + view) for view in (1, 2)}
    folder.mkdir()
    for name, mask in masks.items():
        Image.fromarray(photo_of(mask)).save(folder / name, quality=95)
    return masks


def as_exported(task: dict, mask: np.ndarray) -> dict:
    """A task that an annotator of Label Studio has finished with a mask."""
    brush = {"format": "rle", "rle": list(encode_brush(mask)), "brushlabels": ["car"]}
    size = {"original_height": SIZE[0], "original_width": SIZE[1]}
    result = {"id": "r", "type": "brushlabels", "to_name": "image", "value": brush, **size}
    return {"data": task["data"], "annotations": [{"result": [result], "completed_by": 7}]}


def test_a_reviewed_photo_is_corrected_and_trained_on(project: Project, tmp_path: Path) -> None:
    runs, before = mlflow_runs(project), splits(project)
    new, predictions, tasks = (tmp_path / name for name in ("new", "predictions", "tasks"))
    masks = write_new_car(new)
    project.predict(new, predictions)
    first, second = masks
    decisions = tmp_path / "review_decisions.csv"
    decisions.write_text(f'photo,decision\n"{first}",edit\n"{second}",accept\n')
    project.succeed(
        "--pipelines=corrections_export",
        f"--params=photos={new},predictions={predictions},tasks={tasks},labelling.photos={decisions}",
    )
    (task,) = json.loads((tasks / "tasks.json").read_text())
    export = tmp_path / "export.json"
    export.write_text(json.dumps([as_exported(task, masks[first])]))
    said = project.succeed(
        "--pipelines=corrections_import", f"--params=tasks={tasks},labelling.annotated={export}"
    )
    assert "1 of 1 masks were taken" in said
    corrections = project.raw / "corrections"
    table = read_table(corrections / "corrections.csv", others="text")
    assert table["photo"].tolist() == [first]
    assert table["mask_from"][0].startswith("prediction of model ")
    assert table["annotator"].tolist() == ["7"]

    said = project.succeed("--pipelines=data_processing")
    assert "1 masks are corrected ones" in said
    after = splits(project)
    photo_id = Path(first).stem
    assert after.keys() == before.keys() | {photo_id}
    assert np.array_equal(read_mask(project.path / after[photo_id]), masks[first])
    assert mlflow_runs(project) == runs


def test_a_suspected_label_error_is_corrected(project: Project, tmp_path: Path) -> None:
    before = splits(project)
    photo_id = sorted(before)[0]
    errors = tmp_path / "label_errors.csv"
    errors.write_text(f"photo_id,suspicion,reason\n{photo_id},shifted,is shifted\nother,x,y\n")
    tasks = tmp_path / "tasks"
    options = f"tasks={tasks},labelling.photos={errors},labelling.tool=labelme"
    refused = project.fail("--pipelines=corrections_export", f"--params={options}")
    assert "other is suspected of a label error, and is not among the photos" in refused
    options += ",labelling.most=1"
    project.succeed("--pipelines=corrections_export", f"--params={options}")
    file = tasks / "photos" / f"{photo_id}.json"
    document = json.loads(file.read_text())
    square = [[10, 10], [30, 10], [30, 30], [10, 30]]
    document["shapes"] = [{"label": "car", "points": square, "shape_type": "polygon"}]
    file.write_text(json.dumps(document))
    options = f"tasks={tasks},labelling.annotator=Ann"
    project.succeed("--pipelines=corrections_import", f"--params={options}")
    project.succeed("--pipelines=data_processing")
    after = splits(project)
    assert [name for name in before if after[name] != before[name]] == [photo_id]
    expected = np.zeros(SIZE, bool)
    expected[10:30, 10:30] = True
    assert np.array_equal(read_mask(project.path / after[photo_id]), expected)
    original = project.raw / "train_masks" / f"{photo_id}_mask.gif"
    assert original.is_file() and not np.array_equal(read_mask(original), expected)


def test_the_champion_is_trained_on_and_compared(project: Project) -> None:
    """With a corrected mask of a test photo, which then does not count, and a new car."""
    project.succeed("--pipelines=promotion")
    table = read_table(project.results / "05_model_input/photo_splits.csv", others="text")
    split_of = dict(zip(table["photo_id"], table["split"], strict=True))
    corrected = next(name for name, split in split_of.items() if split == "test")
    write_pair(project.raw, "00000000000a_01")
    corrections = project.raw / "corrections"
    file = mask_file(corrections, f"{corrected}.jpg")
    file.parent.mkdir()
    file.write_bytes(encode_mask(Mask(disc_mask(radius=5))))
    add_corrections(corrections, [Correction(f"{corrected}.jpg", *[""] * 5, 0.5)])
    champion = "models:/car_segmentation@champion"
    start = f"split.keep={champion},training.start_from={champion},training.epochs=1"
    project.succeed(f"--params={start},training.learning_rate=1e-5")
    records = json.loads((project.results / "parameters.json").read_text())
    version = records["photo_splits"]["data_processing"]["split.keep"]
    assert version == "models:/car_segmentation/1"

    table = read_table(project.results / "05_model_input/photo_splits.csv", others="text")
    after = dict(zip(table["photo_id"], table["split"], strict=True))
    assert after == split_of | {"00000000000a_01": "train"}
    said = project.succeed("--pipelines=promotion")
    tested = sum(split == "test" for split in split_of.values())
    assert f"on {tested - 1} test photos" in said
    assert "(1 more are left out, because their masks were corrected since)" in said


def test_splits_to_keep_must_be_there(project: Project, tmp_path: Path) -> None:
    said = project.fail("--pipelines=data_processing", "--params=split.keep=data/none.csv")
    assert "split.keep: there is no data/none.csv" in said
    copy = shutil.copy(project.results / "05_model_input/photo_splits.csv", tmp_path)
    project.succeed("--pipelines=data_processing", f"--params=split.keep={copy}")
    said = project.fail("--pipelines=data_processing", "--params=split.keep=runs:/none/model")
    assert "has no model runs:/none/model of this project" in said
    said = project.fail("--pipelines=data_processing", "--params=split.keep=a.csv,split.folds=3")
    assert "keep and folds exclude each other" in said


def test_what_cannot_be_handed_out_is_named(project: Project, tmp_path: Path) -> None:
    def refused(*parameters: str) -> str:
        return project.fail("--pipelines=corrections_export", f"--params={','.join(parameters)}")

    assert "--params=labelling.photos=FILE" in refused(f"tasks={tmp_path / 'tasks'}")
    table = tmp_path / "table.csv"
    assert f"there is no {table}" in refused(f"labelling.photos={table}")
    table.write_text("name,decision\na.jpg,edit\n")
    assert f"{table} is neither review_decisions.csv" in refused(f"labelling.photos={table}")
    table.write_text("photo,decision\na.jpg,accept\n")
    assert "is marked 'edit'" in refused(f"labelling.photos={table}")
    table.write_text("photo,decision\na.jpg,edit\n")
    assert "a.jpg is missing: name the folder" in refused(f"labelling.photos={table}")
