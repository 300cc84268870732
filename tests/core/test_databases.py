"""A database that is whole, but cannot be used: nobody is told to move it away."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from car_segmentation.core import databases
from car_segmentation.core.databases import READ, WRITE, check_database, problem_of, unreadable
from car_segmentation.core.errors import UserError


def test_a_database_that_another_process_has_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "PATIENCE", 0.01)
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE runs (name)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=r"database is locked.* wait for its end") as shown:
            check_database(path, "all runs")
    assert "move" not in str(shown.value)
    check_database(path, "all runs")


@pytest.mark.parametrize(
    ("lock", "refused"),
    [("BEGIN", set()), ("BEGIN IMMEDIATE", {WRITE}), ("BEGIN EXCLUSIVE", {READ, WRITE})],
)
def test_what_a_lock_lets_pass(lock: str, refused: set[str], tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE runs (name)")
        other.execute(lock)
        problems = {it: problem_of(path, it, seconds=0.01) for it in (READ, WRITE)}
    locked = "database is locked"
    assert problems == {it: locked if it in refused else None for it in (READ, WRITE)}
    assert problem_of(path, WRITE, seconds=0.01) is None


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "runs.db", WRITE, seconds=0.01) is None
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ("(sqlite3.OperationalError) attempt to write a readonly database", "make them writable"),
        ("database or disk is full", "Make room"),
        ("disk I/O error", "does not work"),
        ("unable to open database file", "folder writable"),
        ("file is not a database", "move the file away"),
    ],
)
def test_the_remedy_is_that_of_the_reason(problem: str, remedy: str) -> None:
    message = unreadable(Path("/runs.db"), "all runs", problem)
    assert message.startswith(f"/runs.db, which keeps all runs, cannot be read ({problem}). ")
    assert remedy in message
