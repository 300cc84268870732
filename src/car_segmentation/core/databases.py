"""Databases in a file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from car_segmentation.core.errors import UserError

REMEDIES = {
    "database is locked": "Another process works with it: wait for its end.",
    "readonly database": "Its disk, its folder or the file is read-only: make them writable.",
    "disk is full": "Make room on its disk.",
    "disk I/O error": "Its disk is full, or does not work.",
    "unable to open database file": "Make its folder writable, or room on its disk.",
}
"""What to do about a database that is not damaged, by SQLite's words."""


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
    """Message about a database that cannot be used, by what SQLite says of it."""
    remedy = (
        "If the reason names a remedy, apply it. Otherwise move the file away, and a new one is "
        "begun."
    )
    for words, known in REMEDIES.items():
        if words in problem:
            remedy = f"{known} Nothing is lost: then run the same command again."
    reason = " ".join(problem.split())[:200]
    return f"{path}, which keeps {keeps}, cannot be read ({reason}). {remedy}"
