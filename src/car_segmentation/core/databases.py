"""Databases in a file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from car_segmentation.core.errors import UserError


def check_database(path: Path, keeps: str, seconds: float = 10) -> None:
    """Check that a SQLite database is whole; one that is not there, or is empty, is begun anew.

    Args:
        path: The file.
        keeps: What is lost with it, for the message.
        seconds: How long to wait for another process that has locked it.

    Raises:
        UserError: If it is damaged, not a database, or locked.
    """
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=seconds)) as connection:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        problem = "" if state == "ok" else state
    except sqlite3.DatabaseError as error:
        problem = str(error)
    if problem:
        raise UserError(unreadable(path, keeps, problem))


def unreadable(path: Path, keeps: str, problem: str) -> str:
    """Message about a database that cannot be used."""
    return (
        f"{path}, which keeps {keeps}, cannot be read ({' '.join(problem.split())[:200]}). If "
        "another process works with it, wait. If the reason names a remedy, apply it. Otherwise "
        "move the file away, and a new one is begun."
    )
