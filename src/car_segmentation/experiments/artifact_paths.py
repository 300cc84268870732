"""Artifacts follow a project that is moved or copied.

MLflow writes the absolute path of every run's artifacts into its database, so that a copied project
would log into the project that it was copied from, and find nothing once that is gone. MLflow has
no way to change a path; its database has, and its schema stands in `PATHS` alone.
``tests/experiments/test_artifact_paths.py`` fails when MLflow changes it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from car_segmentation.core.databases import check_database, unreadable
from car_segmentation.core.errors import UserError
from car_segmentation.experiments.tracking_server import ARTIFACTS, DATABASE, RUNS

PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's database with places of artifacts."""


def relocate(project_root: Path) -> int:
    """Point a project's database to the artifacts beside it, if they were somewhere else.

    Places outside of any project's ``mlruns`` are left alone. A database that is not there yet, or
    is not MLflow's, has nothing to change.

    Returns:
        How many places were changed.

    Raises:
        UserError: If the database is locked by another process, or damaged.
    """
    database, artifacts = project_root / DATABASE, (project_root / ARTIFACTS).as_uri()
    if not database.is_file():
        return 0
    check_database(database, RUNS)
    changed = 0
    try:
        with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            for former in _former_places(connection, artifacts):
                for table, column in PATHS:
                    if not _has_column(connection, table, column):
                        continue
                    changed += connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (artifacts, len(former) + 1, former, len(former) + 1, f"{former}/"),
                    ).rowcount
    except sqlite3.DatabaseError as error:
        raise UserError(unreadable(database, RUNS, str(error))) from error
    return changed


def _former_places(connection: sqlite3.Connection, artifacts: str) -> list[str]:
    """Folders of artifacts of the project that this one was copied from."""
    if not _has_column(connection, "experiments", "artifact_location"):
        return []
    places = connection.execute("SELECT DISTINCT artifact_location FROM experiments")
    return [
        place
        for (place,) in places
        if place and place.startswith("file:") and place.endswith(f"/{ARTIFACTS}")
        if place != artifacts
    ]


def _has_column(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))
