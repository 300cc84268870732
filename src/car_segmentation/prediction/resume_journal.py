"""How inference resumes: a journal of finished photos that a kill at any moment cannot spoil."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.name_patterns import without_extension
from car_segmentation.prediction.photo_record import PhotoRecord


class Journal:
    """Records of finished photos, a line of JSON each, under a line that says what made them.

    A record is appended when all files of its photo are written, so that a kill costs only the
    photos in work. A line that a kill cut short has no end, and does not count.

    Args:
        path: The file; made if it is not there.
        origin: What decides about results, such as the model and the threshold.

    Raises:
        UserError: If the file's records have another origin.
    """

    def __init__(self, path: Path, origin: Mapping[str, Any]):
        self._path = path
        self._origin = dict(origin)
        self._entries = self._read()
        self.compact()

    def finished(self, photo: Path, name: str) -> PhotoRecord | None:
        """The record of a photo by its name; None if it is missing, or the photo has changed."""
        entry = self._entries.get(without_extension(name))
        if entry is None or entry["record"]["photo"] != name:
            return None
        return PhotoRecord(**entry["record"]) if entry["file"] == _file_state(photo) else None

    def append(self, photo: Path, record: PhotoRecord) -> None:
        """Record a photo whose files are all written."""
        entry = {"record": asdict(record), "file": _file_state(photo)}
        self._entries[without_extension(record.photo)] = entry
        with self._path.open("a", encoding="ascii") as file:
            file.write(json.dumps(entry) + "\n")

    def compact(self) -> None:
        """Write the file anew, in order of name and without what a kill left."""
        entries = [self._entries[name] for name in sorted(self._entries)]
        with atomic_file(self._path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in [self._origin, *entries]))

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.is_file():
            return {}
        whole_lines = self._path.read_text(encoding="ascii").split("\n")[:-1]
        origin, *entries = map(json.loads, whole_lines)
        if origin != self._origin:
            raise UserError(
                f"{self._path.parent} holds predictions of another model, threshold or "
                "`prediction` parameters, or with another inference.largest_piece. Give "
                "another folder (--params=predictions=FOLDER), or delete this one."
            )
        return {without_extension(entry["record"]["photo"]): entry for entry in entries}


def _file_state(path: Path) -> list[int]:
    """Tells whether a photo has been replaced."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]
