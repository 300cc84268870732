"""The folder of corrected masks, and which photo each is of."""

from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.corrections import (
    COLUMNS,
    TABLE,
    Correction,
    add_corrections,
    corrected_masks,
    mask_file,
    read_corrections,
)
from car_segmentation.data.masks import Mask, encode_mask


def correction(photo: str, **changes: object) -> Correction:
    known = Correction(photo, "mask a_mask.gif", "cvat", "a.json", "ann", "2026-01-02", 0.75)
    return known._replace(**changes)


def write_mask(folder: Path, photo: str) -> Path:
    file = mask_file(folder, photo)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_mask(Mask(np.eye(3, dtype=bool))))
    return file


def test_nothing_is_corrected_without_a_table(tmp_path: Path) -> None:
    write_mask(tmp_path, "a.jpg")
    assert read_corrections(tmp_path).columns.tolist() == COLUMNS
    assert corrected_masks(tmp_path, Path("photos"), [Path("photos/a.jpg")]).by_photo == {}


def test_a_later_correction_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    add_corrections(tmp_path, [correction("b.jpg"), correction("=a.jpg", annotator="one")])
    add_corrections(tmp_path, [correction("=a.jpg", annotator="two", dice=0.5)])
    table = read_corrections(tmp_path)
    assert table["photo"].tolist() == ["=a.jpg", "b.jpg"]
    assert table["annotator"].tolist() == ["two", "ann"]
    assert table["dice"].tolist() == [0.5, 0.75]


def test_masks_belong_to_photos_by_their_path(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("day 1/a.jpg", "gone.jpg"):
        write_mask(tmp_path / "new", name)
    add_corrections(tmp_path / "new", [correction("day 1/a.jpg"), correction("gone.jpg")])
    files = [photos / "day 1/a.jpg", photos / "a.jpg"]
    found = corrected_masks(tmp_path / "new", photos, files)
    assert found.by_photo == {files[0]: tmp_path / "new/day 1/a.jpg.png"}
    assert found.problems == [
        (tmp_path / "new/gone.jpg.png", "corrects gone.jpg, which is not among the photos")
    ]


def test_a_mask_that_is_missing_is_named(tmp_path: Path) -> None:
    add_corrections(tmp_path, [correction("a.jpg")])
    with pytest.raises(UserError, match=r"corrections.csv lists a mask of a.jpg, and .* missing"):
        corrected_masks(tmp_path, Path("photos"), [])


def test_a_table_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("photo,dice\na.jpg,1\n")
    with pytest.raises(UserError, match="has no column 'mask_from'"):
        read_corrections(tmp_path)
