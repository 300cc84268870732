"""How inference resumes: a journal of finished photos that a kill at any moment cannot spoil."""

import json
from collections.abc import Mapping, Sequence
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
        others: Journals of other runs in the same folder, whose photos are finished, too.

    Raises:
        UserError: If the records of one of the files have another origin.
    """

    def __init__(self, path: Path, origin: Mapping[str, Any], others: Sequence[Path] = ()):
        self._path = path
        self._origin = dict(origin)
        self._entries = self._read(path)
        self._others = [self._read(other) for other in others if other != path]
        self.compact()

    def absorb(self) -> None:
        """Take the entries of the other journals over: they are later than those of its own."""
        for entries in self._others:
            self._entries |= entries
        self._others = []
        self.compact()

    def finished(self, photo: Path, name: str) -> PhotoRecord | None:
        """The record of a photo by its name; None if it is missing, or the photo has changed."""
        key, state = without_extension(name), _file_state(photo)
        own = self._entries.get(key)
        found = [own] if own else [entries[key] for entries in self._others if key in entries]
        for entry in found:
            if entry["record"]["photo"] == name and entry["file"] == state:
                return PhotoRecord(**entry["record"])
        return None

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

    def _read(self, path: Path) -> dict[str, dict[str, Any]]:
        if not path.is_file():
            return {}
        whole_lines = path.read_text(encoding="ascii").split("\n")[:-1]
        origin, *entries = map(json.loads, whole_lines)
        if origin != self._origin:
            raise UserError(
                f"{path.parent} holds predictions of another model, threshold or "
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
