"""The data_processing graph on an in-memory catalog, as far as its results go in memory."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import PredictedMask, write_coco
from car_segmentation.data.corrections import Correction, add_corrections, mask_file
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import Mask, encode_mask, read_mask
from car_segmentation.datasets.image_stack import ImageStackDataset
from car_segmentation.pipelines.data_processing import create_pipeline
from car_segmentation.pipelines.data_processing.nodes import augment, check_photos_and_masks
from tests.support.photos import SIZE, disc_mask, photo_of, write_cars, write_pair

NO_MASKS = ImageStack((), np.empty((0, 24, 32), np.uint8))

AUGMENTATION = {
    "shift": 0.05,
    "scale": 0.1,
    "rotate": 5,
    "probability": 1.0,
    "flip_probability": 0.5,
    "border": "reflect",
    "min_in_frame": 0.9,
}


class KeptDataset(MemoryDataset):
    """A result that can still be looked at after the run."""

    def release(self) -> None:
        """Keep the data."""


def catalog_for(raw: Path, **changes: object) -> DataCatalog:
    inputs = {
        "photo_files": sorted((raw / "train").iterdir()),
        "mask_files": sorted((raw / "train_masks").iterdir()),
        "car_metadata": pd.DataFrame(columns=["id", "year", "make", "model"], dtype=str),
        "params:raw_data": str(raw),
        "params:data_folder": "data",
        "params:photo_folder": "train",
        "params:mask_folder": "train_masks",
        "params:subject": {"one": "car", "many": "cars"},
        "params:pairing": {
            "name_pattern": r"^(?P<car>[0-9a-f]{12})_(?P<view>\d{2})$",
            "mask_suffix": "_mask",
            "max_cars": None,
        },
        "params:annotations": None,
        "params:annotation_format": "auto",
        "params:corrections": "corrections",
        "annotated_masks_folder": raw / "annotated_masks",
        "params:masks": {"foreground": None, "ignore": []},
        "own_masks_folder": raw / "native",
        "params:checks": {"max_megapixels": 1, "max_grey_share": 0.05, "max_rejected_share": 0.2},
        "params:split": {
            "fractions": {"train": 0.6, "validation": 0.2, "test": 0.2},
            "folds": None,
            "fold": 0,
        },
        "params:image": {"height": 24, "width": 32},
        "params:augmentation": AUGMENTATION,
        "params:seed": 3,
        "photos_folder": raw / "photos",
        "soft_masks_folder": raw / "soft_masks",
        **changes,
    }
    stacks = {name: ImageStackDataset(str(raw / name)) for name in ("photos", "soft_masks")}
    kept = {
        name: KeptDataset()
        for name in ("rejected_photos", "photo_table", "photo_splits", "augmentation")
    }
    data = {name: MemoryDataset(data) for name, data in inputs.items()}
    return DataCatalog(data | stacks | {name: KeptDataset() for name in kept})


def run(catalog: DataCatalog) -> DataCatalog:
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


def test_from_files_to_stacks(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cars(raw, cars=5, views=2)
    with caplog.at_level(logging.INFO):
        catalog = run(catalog_for(raw))
    splits = catalog.load("photo_splits")
    assert splits.columns.tolist() == [
        *("photo_id", "car", "view", "photo_path", "mask_path"),
        *("height", "width", "foreground_share", "year", "make", "model", "split"),
    ]
    assert splits["split"].value_counts().to_dict() == {"train": 6, "validation": 2, "test": 2}
    assert "train: 6 photos of 3 cars" in caplog.text
    photos, masks = catalog.load("photos"), catalog.load("soft_masks")
    assert photos.ids == masks.ids == tuple(splits["photo_id"])
    assert photos.pixels.shape == (10, 24, 32, 3)
    shares = masks.pixels.mean(axis=(1, 2)) / 255
    assert shares == pytest.approx(splits["foreground_share"].to_numpy(), abs=2e-3)
    assert catalog.load("augmentation")["rotate"] == 5
    assert catalog.load("augmentation_sheet").dtype == np.uint8
    assert catalog.load("data_sheet").shape[1] > 6 * 240
    summary = catalog.load("data_summary").set_index(["of", "what", "value"])["photos"]
    assert summary["photos", "format", "JPEG"] == 10
    assert summary["photos", "size in pixels", "64×48"] == 10
    assert summary["masks", "values", "0, 255"] == 10


def test_the_number_of_cars_can_be_limited(raw: Path) -> None:
    write_cars(raw, cars=5, views=2)
    pairing = catalog_for(raw).load("params:pairing") | {"max_cars": 3}
    splits = run(catalog_for(raw, **{"params:pairing": pairing})).load("photo_splits")
    assert sorted(splits["car"].unique()) == [f"{car:012x}" for car in range(3)]


def test_metadata_is_joined_by_car(raw: Path) -> None:
    write_cars(raw, cars=3, views=2)
    metadata = pd.DataFrame(
        {"id": ["000000000001"] * 2, "year": "2009", "make": ["Saab", "Volvo"], "model": "9-3"}
    )
    table = run(catalog_for(raw, car_metadata=metadata)).load("photo_table")
    assert len(table) == 6
    assert table.set_index("photo_id")["make"].to_dict()["000000000001_02"] == "Saab"


def test_annotations_take_the_place_of_masks(raw: Path) -> None:
    write_cars(raw, cars=3, views=2)
    drawn = [f"00000000000{car}_01" for car in range(3)]
    other, bare = disc_mask(radius=20), "000000000000_02"
    (raw / "train_masks" / f"{bare}_mask.gif").unlink()
    (raw / "train_masks" / f"{drawn[0]}_mask.gif").unlink()
    masks = [PredictedMask(f"{it}.jpg", other) for it in [*drawn, "gone"]]
    write_coco(raw / "annotations.json", masks, "car")
    changes = {"params:annotations": "annotations.json"}
    catalog = run(catalog_for(raw, **changes))
    table = catalog.load("photo_table").set_index("photo_id")
    assert len(table) == 5
    for photo_id, row in table.iterrows():
        is_drawn = Path(row["mask_path"]).parent == raw / "annotated_masks"
        assert is_drawn == (photo_id in drawn)
        if is_drawn:
            assert np.array_equal(read_mask(Path(row["mask_path"])), other)
            assert row["foreground_share"] == pytest.approx(other.mean())
    rejected = catalog.load("rejected_photos").set_index("path")["reason"].to_dict()
    assert rejected == {
        str(raw / "train" / f"{bare}.jpg"): "has neither an annotation nor a mask",
        str(raw / "annotations.json"): "annotates 'gone.jpg', which is not among the photos",
    }


def test_annotations_that_nobody_named_are_pointed_out(
    raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo, mask = write_pair(raw, "a")
    mask.unlink()
    photo.with_suffix(".json").write_text('{"shapes": []}')
    with pytest.raises(UserError, match="has no mask"), caplog.at_level(logging.WARNING):
        run(catalog_for(raw))
    assert "there are 1 files that are not images (1 .json)" in caplog.text
    assert "write annotations: train (docs/annotations.md)" in caplog.text


def test_later_annotations_win(raw: Path) -> None:
    write_cars(raw, cars=3, views=1)
    photos = [f"00000000000{car}_01.jpg" for car in range(3)]
    first, second = disc_mask(radius=10), disc_mask(radius=20)
    write_coco(raw / "first.json", [PredictedMask(it, first) for it in photos], "car")
    write_coco(raw / "second.json", [PredictedMask(photos[0], second)], "car")
    sources = ["first.json", "second.json"]
    table = run(catalog_for(raw, **{"params:annotations": sources})).load("photo_table")
    masks = [read_mask(Path(path)) for path in table["mask_path"]]
    assert [mask.sum() for mask in masks] == [second.sum(), first.sum(), first.sum()]


def test_photos_that_nobody_annotated_or_that_show_nothing_are_no_losses(
    raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_cars(raw, cars=12, views=1)
    for mask in (raw / "train_masks").iterdir():
        mask.unlink()
    photos = [f"{car:012x}_01.jpg" for car in range(12)]
    drawn = [PredictedMask(it, disc_mask()) for it in photos[:3]]
    bare = PredictedMask(photos[3], np.zeros(SIZE, bool))
    write_coco(raw / "a.json", [*drawn, bare], "car")
    with caplog.at_level(logging.WARNING):
        catalog = run(catalog_for(raw, **{"params:annotations": "a.json"}))
    assert len(catalog.load("photo_table")) == 3
    assert "9 of them are not annotated, or show nothing that is cut out" in caplog.text
    reasons = catalog.load("rejected_photos")["reason"].value_counts().to_dict()
    assert reasons == {
        "has neither an annotation nor a mask": 8,
        "is annotated, but shows nothing that is cut out": 1,
    }


def test_photos_whose_annotation_cannot_be_drawn_are_listed_once(raw: Path) -> None:
    write_cars(raw, cars=5, views=1)
    photo = raw / "train" / "000000000000_01.jpg"
    box = {"shapes": [{"label": "car", "shape_type": "point", "points": [[1, 1]]}]}
    photo.with_suffix(".json").write_text(json.dumps(box))
    catalog = run(
        catalog_for(
            raw,
            photo_files=sorted((raw / "train").glob("*.jpg")),
            **{"params:annotations": "train"},
        )
    )
    (reason,) = catalog.load("rejected_photos")["reason"]
    assert reason == (
        "its annotation 000000000000_01.json has an object 'car' that cannot be drawn: a point "
        "encloses nothing"
    )
    assert len(catalog.load("photo_table")) == 4


def test_what_is_rejected_is_counted_in_one_warning(
    raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_cars(raw, cars=5, views=2)
    (raw / "train" / "000000000000_01.jpg").write_bytes(b"")
    (raw / "train" / "lonely.jpg").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        rejected = run(catalog_for(raw)).load("rejected_photos")
    assert rejected["reason"].tolist() == ["has no mask", "is empty (0 bytes)"]
    warnings = [record for record in caplog.records if "were rejected" in record.message]
    assert len(warnings) == 1
    assert "2 files were rejected and 9 pairs" in warnings[0].message


def test_names_that_the_pattern_does_not_know_cost_one_warning(
    raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_cars(raw, cars=4, views=1)
    write_pair(raw, "shoe-red_3")
    words = {"one": "shoe", "many": "shoes"}
    with caplog.at_level(logging.INFO):
        run(catalog_for(raw, **{"params:subject": words}))
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert (
        "the names of 1 of 5 photos, shoe-red_3 the first: each of them counts as another shoe"
        in warning
    )
    assert "train: 3 photos of 3 shoes" in caplog.text
    assert "test: 1 photos of 1 shoe" in caplog.text


def test_inverted_masks_cost_one_warning(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5):
        disc = disc_mask(radius=10 + number)
        write_pair(raw, f"{number:012x}_01", ~disc, photo_of(disc))
    with caplog.at_level(logging.WARNING):
        run(catalog_for(raw, **{"params:augmentation": AUGMENTATION | {"min_in_frame": 0}}))
    assert "In 5 of 5 masks most of the photo's border is bright" in caplog.text


def test_too_many_rejected_stop_the_run() -> None:
    unpaired = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "reason": ["has no mask"] * 2})
    pairs = pd.DataFrame(columns=["photo_id", "car", "view", "photo_path", "mask_path"])
    metadata = pd.DataFrame(columns=["id"])
    checks = {"max_megapixels": 1, "max_grey_share": 0.05, "max_rejected_share": 1.0}
    with pytest.raises(UserError, match=r"2 files were rejected and 0 pairs(.|\n)*1 other: b\.jpg"):
        check_photos_and_masks(pairs, NO_MASKS, NO_MASKS, unpaired, metadata, {}, checks, "data")


def augmented(**changes: object) -> tuple[dict, np.ndarray]:
    mask = disc_mask(radius=20)
    photos = ImageStack(("a",), photo_of(mask)[np.newaxis])
    masks = ImageStack(("a",), mask[np.newaxis].astype(np.uint8) * 255)
    splits = pd.DataFrame({"photo_id": ["a"], "car": ["a"], "split": ["train"]})
    words = {"one": "car", "many": "cars"}
    return augment(photos, masks, splits, AUGMENTATION | changes, seed=1, subject=words)


def test_the_same_seed_gives_the_same_augmentations() -> None:
    assert np.array_equal(augmented()[1], augmented()[1])
    assert not np.array_equal(augmented()[1], augmented(rotate=20)[1])


def test_an_augmentation_that_loses_the_car_is_refused() -> None:
    with pytest.raises(UserError, match=r"keeps \d\d% of the cars inside the photo"):
        augmented(shift=0.6)


def test_a_corrected_mask_takes_precedence(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over an annotation; and raw_data may be relative, where paths of files are not."""
    for number, name in enumerate(("day 1/a", "day 1/b", "day 2/a", "day 3/a")):
        write_pair(raw, name, disc_mask(radius=10 + number))
    masks = [PredictedMask(f"day 1/{name}.jpg", disc_mask(radius=14)) for name in "ab"]
    write_coco(raw / "result.json", masks, "car")
    corrected, origin = disc_mask(radius=5), Correction("day 1/a.jpg", *[""] * 5, 1.0)
    file = mask_file(raw / "corrections", origin.photo)
    file.parent.mkdir(parents=True)
    file.write_bytes(encode_mask(Mask(corrected)))
    add_corrections(raw / "corrections", [origin])
    monkeypatch.chdir(raw.parent)
    everything = sorted(path for path in raw.rglob("*") if path.is_file())
    catalog = run(
        catalog_for(
            raw,
            **{
                "photo_files": [path for path in everything if path.suffix == ".jpg"],
                "mask_files": [path for path in everything if path.suffix == ".gif"],
                "params:raw_data": raw.name,
                "params:annotations": "result.json",
            },
        )
    )
    table = catalog.load("photo_splits").set_index("photo_id")
    radii = {"day 1__a": 5, "day 1__b": 14, "day 2__a": 12, "day 3__a": 13}
    assert table.index.tolist() == list(radii)
    for photo_id, radius in radii.items():
        mask = read_mask(Path(table["mask_path"][photo_id]))
        assert np.array_equal(mask, disc_mask(radius=radius))


def test_corrected_masks_are_no_photos(raw: Path) -> None:
    """Where they lie in the folder of photos."""
    write_cars(raw, cars=5)
    file = raw / "train/corrections/000000000000_01.jpg.png"
    file.parent.mkdir()
    file.write_bytes(encode_mask(Mask(disc_mask())))
    files = [path for path in (raw / "train").rglob("*") if path.is_file()]
    changes = {"photo_files": files, "params:corrections": "train/corrections"}
    catalog = run(catalog_for(raw, **changes))
    assert catalog.load("rejected_photos").empty
