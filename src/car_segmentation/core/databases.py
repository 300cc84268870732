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


PATIENCE = 10.0
"""Seconds to wait for another process that has locked a database."""


def check_database(path: Path, keeps: str) -> None:
    """Check that a SQLite database is whole; one that is not there, or is empty, is begun anew.

    Args:
        path: The file.
        keeps: What is lost with it, for the message.

    Raises:
        UserError: If it is damaged, not a database, or locked.
    """
    if problem := problem_of(path, CHECK, PATIENCE):
        raise UserError(unreadable(path, keeps, problem))


def problem_of(path: Path, statement: str, seconds: float) -> str | None:
    """What SQLite says of a database that does not let a statement pass; None if it does.

    Args:
        path: The file; one that is not there lets everything pass.
        statement: `READ`, `WRITE` or `CHECK`.
        seconds: How long to wait for another process that has locked it.
    """
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=seconds)) as connection:
            row = connection.execute(statement).fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return row[0] if statement == CHECK and row != ("ok",) else None


READ, WRITE = "PRAGMA schema_version", "BEGIN IMMEDIATE"
"""Need the lock that each reading, and each writing, statement needs; neither changes anything."""
CHECK = "PRAGMA quick_check(1)"
"""Reads all of it."""


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
