import json
import os
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from car_segmentation.data.pairing import NameRules, Pairing, join_paths, pair_by_name, split_paths

CARVANA = r"^(?P<car>[0-9a-f]{12})_(?P<view>\d{2})$"
PHOTOS, MASKS = Path("raw/photos"), Path("raw/labels")


def find(photos: list[str], masks: list[str], rules: NameRules) -> Pairing:
    return pair_by_name(
        [PHOTOS / it for it in photos], [MASKS / it for it in masks], PHOTOS, MASKS, rules
    )


def paired(photos: list[str], masks: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    found = find(photos, masks, NameRules(CARVANA, "_mask"))
    return found.pairs, reasons(found)


def reasons(found: Pairing) -> dict[str, str]:
    names = [Path(path).name for path in found.rejected["path"]]
    return dict(zip(names, found.rejected["reason"], strict=True))


def masks_of(found: Pairing) -> dict[str, list[str]]:
    return {
        photo: [path.relative_to(MASKS).as_posix() for path in split_paths(cell)]
        for photo, cell in zip(found.pairs["photo_id"], found.pairs["mask_path"], strict=True)
    }


def test_carvana_names_give_car_and_view() -> None:
    pairs, rejected = paired(["00087a6bd4dc_01.jpg"], ["00087a6bd4dc_01_mask.gif"])
    assert pairs.iloc[0].tolist() == [
        "00087a6bd4dc_01",
        "00087a6bd4dc",
        "01",
        "raw/photos/00087a6bd4dc_01.jpg",
        "raw/labels/00087a6bd4dc_01_mask.gif",
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
    files = [PHOTOS / name for name in ("a.jpg", "a_mask.png", "b.jpg", "c_mask.png")]
    found = pair_by_name(files, files, PHOTOS, PHOTOS, NameRules(None, "_mask"))
    assert found.pairs[["photo_path", "mask_path"]].to_numpy().tolist() == [
        ["raw/photos/a.jpg", "raw/photos/a_mask.png"]
    ]
    assert reasons(found) == {"b.jpg": "has no mask", "c_mask.png": "has no photo"}


def test_a_folder_of_masks_inside_that_of_photos() -> None:
    files = [PHOTOS / name for name in ("a.jpg", "b.jpg", "masks/a.png", "masks/b.png")]
    masks = files[2:]
    found = pair_by_name(files, masks, PHOTOS, PHOTOS / "masks", NameRules(None, ""))
    assert found.pairs["photo_id"].tolist() == ["a", "b"]
    assert found.rejected.empty


def test_names_without_a_match_are_told_apart_from_no_pattern() -> None:
    names = ["00087a6bd4dc_01", "shoe-red_3"]
    photos, masks = [f"{name}.jpg" for name in names], [f"{name}.png" for name in names]
    assert find(photos, masks, NameRules(CARVANA, "")).unmatched == ["shoe-red_3"]
    found = find(photos, masks, NameRules(None, ""))
    assert found.pairs["car"].tolist() == names
    assert found.unmatched == []


def test_a_car_that_may_be_missing_from_the_name() -> None:
    pattern = r"^((?P<car>\d+)-)?(?P<view>.+)$"
    names = ["1234-front", "1234-back", "front", "side"]
    found = find([f"{it}.jpg" for it in names], [f"{it}.png" for it in names], NameRules(pattern))
    cars = dict(zip(found.pairs["photo_id"], found.pairs["car"], strict=True))
    assert cars == {"1234-front": "1234", "1234-back": "1234", "front": "front", "side": "side"}


def test_upper_case_extensions_and_spaces() -> None:
    pairs, rejected = paired(["My Car.JPG"], ["My Car_mask.GIF"])
    assert pairs["photo_id"].tolist() == ["My Car"]
    assert not rejected


def test_accents_written_in_two_ways_are_the_same_name() -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    pairs, rejected = paired([f"{composed}.jpg"], [f"{decomposed}_mask.png"])
    assert pairs["photo_id"].tolist() == [composed]
    assert not rejected


def test_two_spellings_of_one_accent_in_one_folder_are_refused() -> None:
    twins = [f"{unicodedata.normalize(form, 'café')}.jpg" for form in ("NFC", "NFD")]
    _, rejected = paired(twins, [])
    assert all("same id as another file" in reason for reason in rejected.values())


def test_other_files_are_named() -> None:
    found = find(["notes.gif", "raw.CR2"], ["a.png"], NameRules(None, "_mask"))
    assert reasons(found) == {
        "notes.gif": "has an extension that is not read: '.gif'",
        "raw.CR2": "has an extension that is not read: '.CR2'",
        "a.png": "has a name that does not end in '_mask'",
    }


def test_what_is_not_an_image_is_left_aside() -> None:
    photos = ["a.jpg", "a.json", "a.xmp", "Thumbs.db", "desktop.ini", "notes.txt"]
    found = find(photos, ["a.png", "Thumbs.db", "labelmap.txt"], NameRules(None, ""))
    assert found.rejected.empty
    assert len(found.aside) == 7
    assert found.pairs["photo_id"].tolist() == ["a"]


def test_names_that_are_not_utf_8_or_too_long_are_listed() -> None:
    strange = os.fsdecode(b"caf\xe9.jpg")
    found = find([strange, "a" * 201 + ".jpg"], [], NameRules(None, ""))
    listed = reasons(found)
    assert listed["caf\\xe9.jpg"] == "has a name that is not UTF-8: rename it"
    assert listed["a" * 201 + ".jpg"] == "has a name of more than 200 bytes: shorten it"
    found.rejected.to_csv(encoding="utf-8")


class TestPatternsOfMasks:
    def test_several_masks_of_one_photo_are_united(self) -> None:
        masks = ["x_seg.png", "x_seg_1.png", "x_seg_2.png", "y_seg.png"]
        found = find(["x.jpg", "y.jpg"], masks, NameRules(None, mask_pattern="{photo}_seg*"))
        assert masks_of(found) == {
            "x": ["x_seg.png", "x_seg_1.png", "x_seg_2.png"],
            "y": ["y_seg.png"],
        }
        assert json.loads(found.pairs["mask_path"][0])[0] == "raw/labels/x_seg.png"

    def test_a_photo_with_further_masks_is_not_trained_on_with_one_of_them(self) -> None:
        found = find(
            ["x.jpg", "y.jpg"], ["x_seg.png", "x_seg-1.png", "y_seg.png"], NameRules(None, "_seg")
        )
        assert found.pairs["photo_id"].tolist() == ["y"]
        assert "pairing.mask_pattern: '{photo}_seg*'" in reasons(found)["x_seg-1.png"]
        assert "x_seg-1.png" in reasons(found)["x_seg.png"]
        assert reasons(found)["x.jpg"] == "has no mask"

    def test_a_longer_name_is_not_a_further_mask(self) -> None:
        found = find(["shoe-1.jpg"], ["shoe-1.png", "shoe-10.png"], NameRules(None, ""))
        assert found.pairs["photo_id"].tolist() == ["shoe-1"]
        assert reasons(found) == {"shoe-10.png": "has no photo"}

    def test_a_prefix(self) -> None:
        rules = NameRules("image_{number}", mask_pattern="mask_{number}")
        photos, masks = ["image_001.jpg", "image_02.jpg"], ["mask_001.png", "mask_02.png"]
        found = find(photos, masks, rules)
        assert masks_of(found) == {"image_001": ["mask_001.png"], "image_02": ["mask_02.png"]}
        assert found.pairs["car"].tolist() == ["image_001", "image_02"]

    def test_a_prefix_that_nobody_told_of_is_suggested(self) -> None:
        photos = [f"image_{number:03d}.jpg" for number in range(100, 120)]
        masks = [f"mask_{number:03d}.png" for number in range(100, 120)]
        found = find(photos, masks, NameRules(None, "_seg"))
        assert "name_pattern: 'image_{number}'" in found.hint
        assert "mask_pattern: 'mask_{number}'" in found.hint
        again = find(photos, masks, NameRules("image_{number}", mask_pattern="mask_{number}"))
        assert len(again.pairs) == 20

    def test_a_regular_expression(self) -> None:
        rules = NameRules(r"^IMG(?P<n>\d+)$", mask_pattern=r"^seg-(?P<n>\d+)-[a-z]+$")
        found = find(["IMG7.jpg", "IMG77.jpg"], ["seg-7-shoe.png", "seg-7-lace.png"], rules)
        assert masks_of(found) == {"IMG7": ["seg-7-lace.png", "seg-7-shoe.png"]}

    def test_a_mask_that_may_be_of_several_photos(self) -> None:
        rules = NameRules("{car}_{view}", mask_pattern="{car}_all")
        found = find(["a_1.jpg", "a_2.jpg", "b_1.jpg"], ["a_all.png", "b_all.png"], rules)
        assert found.pairs["photo_id"].tolist() == ["b_1"]
        assert reasons(found)["a_all.png"] == "may be the mask of several photos (a_1, a_2)"


class TestFolders:
    def test_the_folder_is_the_group_where_names_have_none(self) -> None:
        names = ["day 1/a", "day 1/b", "day 2/a", "c"]
        for pattern in (None, CARVANA):
            found = find(
                [f"{it}.jpg" for it in names],
                [f"{it}_seg.png" for it in names],
                NameRules(pattern, "_seg"),
            )
            assert found.pairs["photo_id"].tolist() == ["c", "day 1__a", "day 1__b", "day 2__a"]
            assert found.pairs["car"].tolist() == ["c", "day 1", "day 1", "day 2"]
            assert found.rejected.empty
            assert found.unmatched == ([] if pattern is None else ["c"])

    def test_a_folder_for_each_thing_with_its_masks_inside(self) -> None:
        names = ["chair-001/front.jpg", "chair-001/back.jpg", "chair-002/front.jpg"]
        masks = [
            "chair-001/masks/front.png",
            "chair-001/masks/back.png",
            "chair-002/masks/front.png",
        ]
        files = [PHOTOS / name for name in names + masks]
        rules = NameRules("{car}/{view}.*", mask_pattern="{car}/masks/{view}.png")
        found = pair_by_name(files, files, PHOTOS, PHOTOS, rules)
        assert found.pairs[["photo_id", "car", "view"]].to_numpy().tolist() == [
            ["chair-001__back", "chair-001", "back"],
            ["chair-001__front", "chair-001", "front"],
            ["chair-002__front", "chair-002", "front"],
        ]
        assert found.pairs["mask_path"][2] == "raw/photos/chair-002/masks/front.png"
        assert found.rejected.empty

    def test_two_paths_of_one_id_are_refused(self) -> None:
        found = find(["a/b.jpg", "a__b.jpg"], ["a/b.png", "a__b.png"], NameRules(None, ""))
        assert found.pairs.empty
        assert "same id as another" in reasons(found)["b.jpg"]


def test_masks_drawn_from_annotations_take_the_place_of_others() -> None:
    photos, masks = [PHOTOS / "a.jpg", PHOTOS / "b.jpg"], [MASKS / "a.png"]
    drawn = {PHOTOS / "a.jpg": Path("drawn/a.png")}
    found = pair_by_name(photos, masks, PHOTOS, MASKS, NameRules(None), drawn)
    assert found.pairs["mask_path"].tolist() == ["drawn/a.png"]
    assert reasons(found) == {"b.jpg": "has no mask"}
    found = pair_by_name(photos, masks, PHOTOS, MASKS, NameRules(None), drawn, annotated=True)
    assert found.pairs["mask_path"].tolist() == ["drawn/a.png"]
    assert reasons(found) == {"b.jpg": "has neither an annotation nor a mask"}


@pytest.mark.parametrize("paths", [["a b.png"], ["b, c.png", "a\n.png"]])
def test_paths_come_back_from_a_cell(paths: list[str]) -> None:
    assert split_paths(join_paths([Path(path) for path in paths])) == sorted(map(Path, paths))
