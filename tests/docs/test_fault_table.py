"""The table of faults in the docs has the lines that users see, all of them."""

import errno
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from car_segmentation.core.databases import REMEDIES, unreadable
from car_segmentation.core.errors import UserError
from car_segmentation.core.files import lock_folder
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.images import read_photo
from car_segmentation.experiments.tracking_server import RUNS
from car_segmentation.hooks.user_errors import MACHINE, message_for
from car_segmentation.training.batch_size import fitting_batch
from tests.support.folder_jobs import folder_job
from tests.support.photos import write_discs
from tests.support.projects import REPOSITORY

FILE = Path("/data/FILE")


def of_system(number: int) -> Callable[[Path], BaseException]:
    return lambda _: OSError(number, os.strerror(number), str(FILE))


def of_database(problem: str) -> Callable[[Path], BaseException]:
    return lambda _: UserError(unreadable(FILE, RUNS, problem))


def of_inference(folder: Path) -> BaseException:
    write_discs(folder / "photos", 1)
    (folder / "predictions").touch()
    with pytest.raises(UserError) as caught:
        folder_job(folder / "photos").write(folder / "predictions")
    return caught.value


def of_photo(folder: Path) -> BaseException:
    with pytest.raises(UnusableImage) as caught:
        read_photo(folder / "gone.jpg")
    return caught.value


def of_training(_: Path) -> BaseException:
    def fail(_: int) -> None:
        raise MemoryError

    with pytest.raises(UserError) as caught:
        fitting_batch(fail, 1)
    return caught.value


def of_two_runs(folder: Path) -> BaseException:
    with (folder / ".in_use").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError) as caught:
            lock_folder(folder)
    return caught.value


FAULTS: dict[str, Callable[[Path], BaseException]] = {
    "full disk, or no inodes": of_system(errno.ENOSPC),
    "full disk, in `inference`": of_inference,
    "used quota": of_system(errno.EDQUOT),
    "read-only disk": of_system(errno.EROFS),
    "limit on files' sizes": of_system(errno.EFBIG),
    "too many open files": of_system(errno.EMFILE),
    "broken disk": of_system(errno.EIO),
    "too little memory, or too few threads": lambda _: RuntimeError("can't start new thread"),
    "too little memory in a training, for any batch": of_training,
    "locked database": of_database("database is locked"),
    "database on a full disk": of_database("database or disk is full"),
    "database on a read-only disk": of_database("attempt to write a readonly database"),
    "database on a broken disk": of_database("disk I/O error"),
    "database without inodes": of_database("unable to open database file"),
    "database that fails in the middle of a run": lambda _: sqlite3.OperationalError("disk"),
    "photo or mask that changed between steps": of_photo,
    "two runs at once": of_two_runs,
}


def rows() -> dict[str, str]:
    """Lines of the table by fault."""
    text = (REPOSITORY / "docs/security.md").read_text()
    section = text.split("## A machine at its limits")[1].split("\n## ")[0]
    cells = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {fault.removeprefix("| "): line for fault, line, _ in cells[1:]}


def test_every_fault_has_a_row() -> None:
    assert list(rows()) == list(FAULTS)
    lines = " ".join(rows().values())
    assert [sentence for sentence in MACHINE.values() if sentence not in lines] == []
    assert [remedy for remedy in REMEDIES.values() if remedy not in lines] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_the_line_is_what_a_user_sees(fault: str, tmp_path: Path) -> None:
    pattern = re.escape(rows()[fault]).replace("…", ".+")
    for placeholder in ("FILE", "FOLDER"):
        pattern = pattern.replace(placeholder, r"\S+")
    message = message_for(FAULTS[fault](tmp_path))
    assert message
    assert re.match(pattern, message), message
