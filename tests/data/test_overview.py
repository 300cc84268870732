import pandas as pd
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.overview import (
    check_object_values,
    describe_vanishing,
    photos_to_look_at,
    summarise,
)

PHOTOS = pd.DataFrame(
    {
        "photo_id": ["a", "b", "c"],
        "height": [1800, 1800, 600],
        "width": [2400, 2400, 800],
        "foreground_share": [0.2, 0.0005, 0.3],
    }
)


def rows_of(notes: list[dict]) -> list[list]:
    return summarise(PHOTOS, ["JPEG", "PNG", "JPEG"], notes).to_numpy().tolist()


def test_what_was_read_is_counted() -> None:
    notes = [{"values": "0, 255"}, {"values": "0, 1", "ignored_share": 0.1}, {"values": "0, 255"}]
    assert rows_of(notes) == [
        ["photos", "format", "JPEG", 2],
        ["photos", "format", "PNG", 1],
        ["photos", "size in pixels", "2400×1800", 2],
        ["photos", "size in pixels", "800×600", 1],
        ["masks", "values", "0, 255", 2],
        ["masks", "values", "0, 1", 1],
        ["masks", "foreground", "0.0% to 0.1%", 1],
        ["masks", "foreground", "10.0% to 50.0%", 2],
        ["masks", "ignored", "10.0% on average", 1],
    ]


def test_many_values_are_one_row() -> None:
    table = pd.concat([PHOTOS] * 10, ignore_index=True)
    notes = [{"values": str(number)} for number in range(30)]
    summary = summarise(table, ["JPEG"] * 30, notes)
    assert summary[summary["what"] == "values"].iloc[-1].tolist() == [
        "masks",
        "values",
        "24 others",
        24,
    ]


def test_things_too_thin_are_described_with_the_size_that_shows_them() -> None:
    # 6 pixels of 2400: two pixels of the input need a third of the size, 800×600.
    message = describe_vanishing(PHOTOS, [{}, {"thickness": 6.0}, {}], 96, 128)
    assert message.startswith("1 of 3 masks are too thin or small for the network's 128×96 pixels")
    assert message.endswith(
        "That of b is 6 pixels across at most, on 2400×1800: 800×608 would show it."
    )
    assert describe_vanishing(PHOTOS, [{}, {}, {}], 96, 128) == ""


def test_objects_of_different_small_numbers_or_colours_are_classes() -> None:
    notes = [{"object_value": value} for value in ("1", "1", "2", "")]
    with pytest.raises(
        UserError, match=r"several numbers: 1 \(in 2 masks\), 2 \(in 1 masks\).*\[1, 2\]"
    ):
        check_object_values(notes)
    notes = [{"object_value": value} for value in ("'#ff0000'", "'#00ff00'")]
    with pytest.raises(UserError, match="several colours: '#ff0000'"):
        check_object_values(notes)
    # One class, written by tools of different habits.
    check_object_values(
        [{"object_value": it} for it in ("1", "255", "65535", "'#ffffff'", "'#ff0000'")]
    )


def test_photos_of_every_split_are_shown_from_the_smallest_to_the_largest() -> None:
    table = pd.DataFrame(
        {
            "photo_id": range(100),
            "split": ["train"] * 90 + ["validation"] * 6 + ["test"] * 4,
            "foreground_share": [number % 13 / 13 for number in range(100)],
        }
    )
    shown = photos_to_look_at(table, 20)
    assert shown["split"].value_counts().to_dict() == {"train": 18, "validation": 2, "test": 2}
    of_train = shown[shown["split"] == "train"]["foreground_share"]
    assert (of_train.min(), of_train.max()) == (0, 12 / 13)
