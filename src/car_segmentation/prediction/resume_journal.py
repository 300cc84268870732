"""Resuming of inference: a journal of finished photos that a kill at any moment cannot damage."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.name_patterns import without_extension
from car_segmentation.prediction.photo_record import PhotoRecord

logger = logging.getLogger(__name__)

JOURNAL_FILE = ".finished.jsonl"
"""In a folder of predictions."""


class Journal:
    """Records of finished photos, a line of JSON each, under a line that says what made them.

    A record is appended when all files of its photo are written, so that a kill costs only the
    photos in work. A line that is cut short or damaged does not count: its photo is predicted
    again.

    Args:
        path: The file; made if it is not there.
        origin: What decides about results, such as the model and the threshold.
        others: Journals of other runs in the same folder, whose photos are finished, too.

    Raises:
        UserError: If the records of one of the files have another origin, or it does not say which.
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
        with atomic_file(self._path, durable=True) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in [self._origin, *entries]))

    def _read(self, path: Path) -> dict[str, dict[str, Any]]:
        if not path.is_file():
            return {}
        first, *lines = path.read_bytes().split(b"\n")
        origin = _parsed(first)
        if not isinstance(origin, dict) or not lines:
            raise UserError(
                f"{path} is damaged, and nothing else says which model made the masks beside it. "
                "Delete it, and all photos are predicted again."
            )
        if origin != self._origin:
            raise UserError(
                f"{path.parent} holds predictions of another model, threshold or "
                "`prediction` parameters, or with another inference.largest_piece. Give "
                "another folder (--params=predictions=FOLDER), or delete this one."
            )
        whole_lines = lines[:-1]
        entries = [entry for entry in map(_parsed, whole_lines) if _is_entry(entry)]
        damaged = len(whole_lines) - len(entries)
        if damaged:
            logger.warning(
                "%s has %d damaged lines: their photos are predicted again.", path, damaged
            )
        return {without_extension(entry["record"]["photo"]): entry for entry in entries}


def read_origin(path: Path) -> dict[str, Any] | None:
    """What made the photos of a journal; None if there is no journal, or it does not say."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        origin = _parsed(file.readline())
    return origin if isinstance(origin, dict) else None


def _parsed(line: bytes) -> Any:
    """A line of JSON; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_entry(entry: Any) -> bool:
    """True if a line has the form that `Journal.append` writes, within `PhotoRecord`'s ranges."""
    try:
        record = PhotoRecord(**entry["record"])
        numbers = (record.height, record.width, record.seconds)
        fractions = (record.foreground_share, record.confidence)
        return (
            isinstance(record.photo, str)
            and isinstance(record.warnings, str)
            and all(number is None or 0 <= number < math.inf for number in numbers)
            and all(fraction is None or 0 <= fraction <= 1 for fraction in fractions)
            and all(isinstance(number, int) for number in entry["file"])
        )
    except (TypeError, KeyError):
        return False


def _file_state(path: Path) -> list[int]:
    """Tells whether a photo has been replaced."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]
