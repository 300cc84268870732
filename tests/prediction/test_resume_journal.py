import os
from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.resume_journal import Journal, PhotoRecord

ORIGIN = {"model": "a", "threshold": 0.5}
RECORD = PhotoRecord("a.jpg", 48, 64, 0.25, 0.1, 0.9, "odd")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"photo")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "predictions" / "journal"


def test_records_outlive_the_run(path: Path, photo: Path) -> None:
    journal = Journal(path, ORIGIN)
    assert journal.finished(photo, photo.name) is None
    journal.append(photo, RECORD)
    assert journal.finished(photo, photo.name) == RECORD
    assert Journal(path, ORIGIN).finished(photo, photo.name) == RECORD


def test_a_kill_at_any_byte_costs_the_last_record_alone(path: Path, photo: Path) -> None:
    other = photo.with_name("b.jpg")
    other.write_bytes(b"other")
    journal = Journal(path, ORIGIN)
    journal.append(photo, RECORD)
    kept = path.stat().st_size
    journal.append(other, PhotoRecord("b.jpg"))
    whole = path.read_bytes()
    assert len(whole) > kept + 10
    for size in range(kept, len(whole)):
        path.write_bytes(whole[:size])
        cut = Journal(path, ORIGIN)
        assert cut.finished(photo, photo.name) == RECORD
        assert cut.finished(other, other.name) is None
        cut.append(other, PhotoRecord("b.jpg"))
        assert path.read_bytes() == whole


def test_the_order_of_work_leaves_no_trace(path: Path, photo: Path) -> None:
    other = photo.with_name("b.jpg")
    other.write_bytes(b"other")
    contents = []
    for photos in ([photo, other], [other, photo]):
        path.unlink(missing_ok=True)
        journal = Journal(path, ORIGIN)
        for each in photos:
            journal.append(each, PhotoRecord(each.name))
        journal.compact()
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("change", ["content", "time", "name", "gone"])
def test_another_photo_is_not_finished(path: Path, photo: Path, change: str) -> None:
    journal = Journal(path, ORIGIN)
    journal.append(photo, RECORD)
    if change == "content":
        photo.write_bytes(b"another photo")
    elif change == "time":
        os.utime(photo, (1, 1))
    elif change == "name":
        photo = photo.rename(photo.with_suffix(".png"))
    else:
        photo.unlink()
    assert journal.finished(photo, photo.name) is None


def test_predictions_of_another_model_are_not_mixed_in(path: Path) -> None:
    Journal(path, ORIGIN)
    with pytest.raises(UserError, match="another model, threshold or"):
        Journal(path, ORIGIN | {"threshold": 0.4})
