"""Every mistake ends in one message, without a traceback, that says what to do."""

import shutil
from pathlib import Path

import pytest

from tests.support.photos import write_cars, write_pair
from tests.support.projects import Project


def test_no_data(empty_project: Project) -> None:
    output = empty_project.fail()
    assert "There are no photos in data/01_raw/discs/train" in output
    assert "make run" in output


def test_no_new_photos(empty_project: Project) -> None:
    output = empty_project.fail("--pipelines=inference")
    assert "There are no photos in data/01_raw/new_photos" in output
    assert "--params=photos=FOLDER,predictions=FOLDER" in output


def test_no_model(empty_project: Project, tmp_path: Path) -> None:
    photo, _ = write_pair(tmp_path, "a")
    folders = f"photos={photo.parent},predictions={tmp_path / 'new'}"
    output = empty_project.fail("--pipelines=inference", f"--params={folders}")
    assert "Train one first" in output


def test_too_few_cars(empty_project: Project) -> None:
    write_cars(empty_project.raw, cars=2)
    assert "2 cars are too few to split into 3 groups" in empty_project.fail()


def test_too_many_rejected(empty_project: Project) -> None:
    raw = empty_project.raw
    write_cars(raw, cars=5, views=2)
    for photo in sorted((raw / "train").iterdir())[:3]:
        photo.write_bytes(b"")
    output = empty_project.fail()
    assert "3 files were rejected and 7 pairs" in output
    assert "checks.max_rejected_share allows 10%" in output
    assert "000000000000_01.jpg is empty (0 bytes)" in output


def test_masks_missing_altogether(empty_project: Project) -> None:
    write_pair(empty_project.raw, "a")
    shutil.rmtree(empty_project.raw / "train_masks")
    assert "a.jpg has no mask" in empty_project.fail()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--params=raw_dta=elsewhere", "raw_dta: unknown parameter"),
        ("--params=network.depth=3", "network.depth: segnet_unet has no such option"),
    ],
)
def test_parameters(empty_project: Project, argument: str, message: str) -> None:
    assert message in empty_project.fail(argument)
