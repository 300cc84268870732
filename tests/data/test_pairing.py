import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.data.image_stack import write_resized_masks
from car_segmentation.data.pairing import check_pairs, first_cars, pair_by_name, unmatched
from tests.support.photos import disc_mask, photo_of, write_pair

CARVANA = r"^(?P<car>[0-9a-f]{12})_(?P<view>\d{2})$"


def paired(photos: list[str], masks: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    pairs, rejected = pair_by_name(
        [Path(name) for name in photos], [Path(name) for name in masks], CARVANA, "_mask"
    )
    return pairs, dict(zip(rejected["path"], rejected["reason"], strict=True))


def test_carvana_names_give_car_and_view() -> None:
    pairs, rejected = paired(["00087a6bd4dc_01.jpg"], ["00087a6bd4dc_01_mask.gif"])
    assert pairs.iloc[0].tolist() == [
        "00087a6bd4dc_01",
        "00087a6bd4dc",
        "01",
        "00087a6bd4dc_01.jpg",
        "00087a6bd4dc_01_mask.gif",
    ]
    assert not rejected


def test_a_name_without_a_car_is_a_group_of_its_own() -> None:
    pairs, _ = paired(["shoe 7.jpg", "übung.png"], ["shoe 7_mask.png", "übung_mask.png"])
    assert pairs["car"].tolist() == ["shoe 7", "übung"]
    assert pairs["view"].tolist() == ["", ""]


def test_a_photo_without_mask_and_the_reverse() -> None:
    pairs, rejected = paired(["a.jpg", "b.jpg"], ["b_mask.png", "c_mask.png"])
    assert pairs["photo_id"].tolist() == ["b"]
    assert rejected == {"a.jpg": "has no mask", "c_mask.png": "has no photo"}


def test_the_same_id_twice() -> None:
    pairs, rejected = paired(["a.jpg", "a.png", "b.jpg"], ["a_mask.png", "b_mask.png"])
    assert pairs["photo_id"].tolist() == ["b"]
    assert rejected["a.jpg"] == "has the same id as another file (a.jpg, a.png)"
    assert rejected["a.png"] == rejected["a.jpg"]
    assert rejected["a_mask.png"] == "has no photo"


def test_photos_and_masks_in_one_folder() -> None:
    files = ["a.jpg", "a_mask.png", "b.jpg", "c_mask.png"]
    pairs, rejected = paired(files, files)
    assert pairs[["photo_path", "mask_path"]].to_numpy().tolist() == [["a.jpg", "a_mask.png"]]
    assert rejected == {"b.jpg": "has no mask", "c_mask.png": "has no photo"}


def test_names_without_a_match_are_told_apart_from_no_pattern() -> None:
    names = ["00087a6bd4dc_01", "shoe-red_3"]
    photos, masks = [Path(f"{name}.jpg") for name in names], [Path(f"{name}.png") for name in names]
    pairs, _ = pair_by_name(photos, masks, CARVANA, "")
    assert unmatched(pairs, CARVANA) == ["shoe-red_3"]
    pairs, _ = pair_by_name(photos, masks, None, "")
    assert pairs["car"].tolist() == names
    assert unmatched(pairs, None) == []


def test_upper_case_extensions_and_spaces() -> None:
    pairs, rejected = paired(["My Car.JPG"], ["My Car_mask.GIF"])
    assert pairs["photo_id"].tolist() == ["My Car"]
    assert not rejected


def test_accents_written_in_two_ways_are_the_same_name() -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    pairs, rejected = paired([f"{composed}.jpg"], [f"{decomposed}_mask.png"])
    assert pairs["photo_id"].tolist() == [composed]
    assert not rejected


def test_other_files_are_named() -> None:
    _, rejected = paired(["notes.txt"], ["a.png"])
    assert rejected == {
        "notes.txt": "has an extension that is not read: '.txt'",
        "a.png": "has a name that does not end in '_mask'",
    }


def test_first_cars_keeps_whole_cars() -> None:
    pairs = pd.DataFrame({"car": ["b", "a", "b", "c"], "photo_id": list("wxyz")})
    assert first_cars(pairs, 2)["photo_id"].tolist() == ["w", "x", "y"]
    assert len(first_cars(pairs, None)) == 4


def checked(raw: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    pairs, _ = pair_by_name(
        sorted((raw / "train").iterdir()), sorted((raw / "train_masks").iterdir()), CARVANA, "_mask"
    )
    ids, masks = pairs["photo_id"].tolist(), pairs["mask_path"].tolist()
    stack = write_resized_masks(raw / "masks", ids, masks, 24, 32, 1, max_grey_share=0.05)
    return check_pairs(pairs, stack.notes, max_megapixels=1)


def test_a_good_pair_is_measured(raw: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:12] = True
    write_pair(raw, "0123456789ab_01", mask)
    table, rejected = checked(raw)
    assert table.loc[0, ["height", "width", "foreground_share"]].tolist() == [48, 64, 0.25]
    assert rejected.empty


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda p, m: p.write_bytes(b""), "is empty (0 bytes)"),
        (lambda p, m: p.write_bytes(p.read_bytes()[:-400]), "is truncated or damaged"),
        (lambda p, m: p.write_text("no image"), "is not an image"),
        (lambda p, m: (p.unlink(), p.symlink_to("gone")), "cannot be read"),
        (lambda p, m: Image.new("RGB", (2000, 1000)).save(p), "is too large: 2000×1000"),
        (
            lambda p, m: Image.new("RGB", (64, 40)).save(p),
            "is 64×40 pixels, but its mask b_mask.gif is 64×48",
        ),
        (
            lambda p, m: Image.new("RGB", (48, 64)).save(p),
            "is 48×64 pixels, but its mask b_mask.gif is 64×48: is one of them upright only by",
        ),
        (lambda p, m: Image.new("L", (64, 48)).save(m), "its mask b_mask.gif is empty"),
        (lambda p, m: m.write_bytes(m.read_bytes()[:100]), "its mask b_mask.gif is truncated"),
        (lambda p, m: m.write_bytes(b""), "its mask b_mask.gif is empty (0 bytes)"),
        (
            lambda p, m: Image.fromarray(photo_of(disc_mask())[..., 1] // 2).save(m, "PNG"),
            "its mask b_mask.gif is no mask",
        ),
    ],
)
def test_a_broken_pair_is_rejected_with_its_reason(raw: Path, break_it, reason: str) -> None:
    write_pair(raw, "a")
    photo_path, mask_path = write_pair(raw, "b")
    break_it(photo_path, mask_path)
    table, rejected = checked(raw)
    assert table["photo_id"].tolist() == ["a"]
    assert rejected["path"].tolist() == [str(photo_path)]
    assert rejected["reason"][0].startswith(reason)


def test_everything_broken_leaves_an_empty_table_with_its_columns(raw: Path) -> None:
    photo_path, _ = write_pair(raw, "a")
    photo_path.write_bytes(b"")
    table, rejected = checked(raw)
    assert len(table) == 0
    assert "foreground_share" in table
    assert len(rejected) == 1
