import logging
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Inference
from car_segmentation.prediction.shards import Shard
from tests.support.folder_jobs import folder_job, table_of
from tests.support.models import Darkness
from tests.support.parameters import parameters
from tests.support.photos import contents, write_discs

NAMES = st.lists(st.text(st.characters(exclude_categories=[]), min_size=1), unique=True)


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Ten photos, one of them broken, and one whose name a spreadsheet would run."""
    photos = tmp_path / "photos"
    write_discs(photos, 10)
    (photos / "003.png").write_bytes(b"broken")
    (photos / "005.png").rename(photos / "=5.png")
    return photos


@given(names=NAMES, count=st.integers(1, 30))
def test_each_photo_is_in_exactly_one_part(names: list[str], count: int) -> None:
    parts = [Shard(number, count) for number in range(1, count + 1)]
    names = [name.encode("utf-8", "replace").decode() for name in names]
    assert all(sum(part.holds(name) for part in parts) == 1 for name in names)


def test_parts_are_about_equally_large_and_never_change() -> None:
    names = [f"car{number // 16:03d}_{number % 16 + 1:02d}.jpg" for number in range(2000)]
    sizes = [sum(Shard(part, 20).holds(name) for name in names) for part in range(1, 21)]
    assert sum(sizes) == 2000 and min(sizes) > 70 and max(sizes) < 130
    # By hand, crc32("123456789") = 0xcbf43926, the checksum's check value: 3421780262 % 20 = 2.
    assert Shard(3, 20).holds("123456789.jpg") and Shard(3, 20).holds("123456789.png")


def test_the_last_part_writes_the_table_of_an_undivided_run(
    discs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "predictions"
    folder_job(discs).write(whole)
    caplog.set_level(logging.INFO)
    for number in (2, 3, 1):
        assert not (folder / "predictions.csv").exists()
        folder_job(discs, shard=Shard(number, 3)).write(folder)
    assert "not yet finished: 1, 3" in caplog.text and "All 3 parts are finished" in caplog.text
    tables = [table_of(each).drop(columns="seconds") for each in (folder, whole)]
    pd.testing.assert_frame_equal(*tables)
    assert (
        len(tables[0]) == 10
        and "is not an image" in tables[0].set_index("photo").loc["003.png", "warnings"]
    )
    assert contents(folder / "masks") == contents(whole / "masks")


def test_parts_resume_and_a_whole_run_takes_them_over(discs: Path, tmp_path: Path) -> None:
    folder, again = tmp_path / "predictions", Darkness()
    folder_job(discs, shard=Shard(1, 2)).write(folder)
    folder_job(discs, again, shard=Shard(1, 2)).write(folder)
    assert again.batches == []
    done = len(list(folder.glob("masks/[!.]*")))
    assert 0 < done < 9
    # Divided otherwise, what is finished stays finished.
    for number in (1, 2, 3):
        folder_job(discs, again, shard=Shard(number, 3)).write(folder)
    assert len(list(folder.glob("masks/[!.]*"))) == 9
    model = Darkness()
    folder_job(discs, model).write(folder)
    assert model.batches == [] and len(table_of(folder)) == 10
    assert {path.name for path in folder.glob("*") if not path.name.startswith(".in_use")} == {
        *("masks", "predictions.csv", ".finished.jsonl")
    }


def test_parts_of_two_models_are_not_mixed(discs: Path, tmp_path: Path) -> None:
    folder_job(discs, shard=Shard(1, 2)).write(tmp_path / "predictions")
    with pytest.raises(UserError, match="another model"):
        folder_job(discs, Darkness(2.0), shard=Shard(2, 2)).write(tmp_path / "predictions")


def test_a_damaged_table_of_a_part_is_named(discs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "predictions"
    folder_job(discs, shard=Shard(1, 2)).write(folder)
    (folder / ".predictions.1-of-2.csv").write_text("nothing\n1\n")
    with pytest.raises(UserError, match=r"1-of-2\.csv is damaged"):
        folder_job(discs, shard=Shard(2, 2)).write(folder)


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "-1/3", "1/3/5", "²/3", "1/0", ""])
def test_a_part_that_does_not_exist_is_refused(shard: str) -> None:
    with pytest.raises(ValidationError, match="a part of a number of parts"):
        Inference(**parameters()["inference"] | {"shard": shard})


def test_what_needs_all_photos_is_refused() -> None:
    given_ = parameters()["inference"]
    assert Shard.parse(Inference(**given_ | {"shard": "3/20"}).shard or "") == Shard(3, 20)
    for wish in ({"submission": True}, {"canvas": {}}):
        with pytest.raises(ValidationError, match="made of all photos"):
            Inference(**given_ | wish | {"shard": "1/2"})
