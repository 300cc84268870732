from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.data.image_files import Limits
from car_segmentation.data.masks import PLAIN, MaskReading, MaskRules, read_truth
from car_segmentation.data.pair_checks import check_pairs, first_cars, reason_against
from car_segmentation.data.pairing import NameRules, pair_by_name
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from tests.support.photos import disc_mask, photo_of, write_pair

CARVANA_RULES = NameRules(r"^(?P<car>[0-9a-f]{12})_(?P<view>\d{2})$", "_mask")


def test_first_cars_keeps_whole_cars() -> None:
    pairs = pd.DataFrame({"car": ["b", "a", "b", "c"], "photo_id": list("wxyz")})
    assert first_cars(pairs, 2)["photo_id"].tolist() == ["w", "x", "y"]
    assert len(first_cars(pairs, None)) == 4


def checked(
    raw: Path, rules: NameRules = CARVANA_RULES, reading: MaskReading = PLAIN
) -> tuple[pd.DataFrame, pd.DataFrame]:
    photos, labels = raw / "train", raw / "train_masks"
    pairs = pair_by_name(
        sorted(photos.iterdir()), sorted(labels.iterdir()), photos, labels, rules
    ).pairs
    ids, masks = pairs["photo_id"].tolist(), pairs["mask_path"].tolist()
    drawn = write_resized_masks(raw / "masks", ids, masks, 24, 32, MaskRules(reading, 1))
    reasons = [
        partial(reason_against, mask, drawn.notes[a]) for a, mask in zip(ids, masks, strict=True)
    ]
    paths = pairs["photo_path"].tolist()
    read = write_resized_photos(raw / "photos", ids, paths, 24, 32, Limits(1), reasons)
    return check_pairs(pairs, read.notes, drawn.notes)


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
            lambda p, m: Image.fromarray(np.ones((48, 64), np.float32)).save(p, "TIFF"),
            "holds floating-point numbers, and nothing says which values are black and white",
        ),
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
            "its mask b_mask.gif is not a mask",
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


def test_several_masks_are_united_and_kept_at_native_size(raw: Path) -> None:
    _, mask_path = write_pair(raw, "a")
    second = np.zeros((48, 64), bool)
    second[:4, :4] = True
    Image.fromarray(second).save(mask_path.with_name("a_mask_2.png"))
    table, _ = checked(raw, NameRules(None, mask_pattern="{photo}_mask*"))
    own = Path(table["mask_path"][0])
    assert own.is_relative_to(raw)
    assert np.array_equal(read_truth(own).foreground, disc_mask() | second)
    assert table["foreground_share"][0] == np.mean(disc_mask() | second)


def test_masks_of_different_sizes_are_named(raw: Path) -> None:
    _, mask_path = write_pair(raw, "a")
    Image.fromarray(np.ones((10, 64), bool)).save(mask_path.with_name("a_mask_2.png"))
    _, rejected = checked(raw, NameRules(None, mask_pattern="{photo}_mask*"))
    assert rejected["reason"].tolist() == [
        "its mask a_mask.gif, a_mask_2.png are of different sizes: 64×10, 64×48 pixels"
    ]


def test_what_the_user_says_of_masks_is_kept_at_native_size(raw: Path) -> None:
    _, mask_path = write_pair(raw, "a")
    values = disc_mask().astype(np.uint8)
    values[:5] = 255
    Image.fromarray(values).save(mask_path)
    _, rejected = checked(raw)
    assert "can be read in several ways" in rejected["reason"][0]
    table, _ = checked(raw, reading=MaskReading((1,), (255,)))
    truth = read_truth(Path(table["mask_path"][0]))
    assert np.array_equal(truth.foreground, values == 1)
    assert np.array_equal(truth.ignored, values == 255)


def test_everything_broken_leaves_an_empty_table_with_its_columns(raw: Path) -> None:
    photo_path, _ = write_pair(raw, "a")
    photo_path.write_bytes(b"")
    table, rejected = checked(raw)
    assert len(table) == 0
    assert "foreground_share" in table
    assert len(rejected) == 1
