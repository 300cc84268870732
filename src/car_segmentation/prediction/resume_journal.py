"""Resuming of inference: a journal of finished photos that a kill at any moment cannot damage."""

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
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
Entry = dict[str, Any]
"""A photo's ``record``, and the state of its ``file``."""


def file_state(path: Path) -> list[int]:
    """Tells whether a photo has been replaced: its size in bytes, and its time."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


class Journal:
    """Records of finished photos, a line of JSON each, under a line that says what made them.

    A record is appended when all files of its photo are written, so that a kill costs only the
    photos in work. A line that is cut short or damaged does not count: its photo is predicted
    again.

    Args:
        path: The file; made if it is not there.
        origin: What decides about results, such as the model and the threshold.
        others: Journals of other runs in the same folder, whose photos are finished, too.
        state_of: Tells whether a photo has been replaced.

    Raises:
        UserError: If the records of one of the files have another origin, or it does not say which.
    """

    def __init__(
        self,
        path: Path,
        origin: Mapping[str, Any],
        others: Sequence[Path] = (),
        state_of: Callable[[Path], Sequence[int]] = file_state,
    ):
        self._path = path
        self._state_of = state_of
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
        key = without_extension(name)
        own = self._entries.get(key)
        found = [own] if own else [entries[key] for entries in self._others if key in entries]
        return record_in(found, name, self._state_of(photo))

    def append(self, photo: Path, record: PhotoRecord) -> None:
        """Record a photo whose files are all written."""
        entry = entry_of(record, self._state_of(photo))
        self._entries[without_extension(record.photo)] = entry
        with self._path.open("a", encoding="ascii") as file:
            file.write(json.dumps(entry) + "\n")

    def compact(self) -> None:
        """Write the file anew, in order of name and without what a kill left."""
        entries = [self._entries[name] for name in sorted(self._entries)]
        with atomic_file(self._path, durable=True) as part:
            part.write_bytes(journal_content(self._origin, entries))

    def _read(self, path: Path) -> dict[str, Entry]:
        if not path.is_file():
            return {}
        return read_entries(path.read_bytes(), self._origin, str(path), str(path.parent))


def entry_of(record: PhotoRecord, state: Sequence[int]) -> Entry:
    """What a journal keeps of a finished photo."""
    return {"record": asdict(record), "file": list(state)}


def record_in(entries: Iterable[Entry], name: str, state: Sequence[int]) -> PhotoRecord | None:
    """The record of a photo with this name and state in the first entry that has it."""
    for entry in entries:
        if entry["record"]["photo"] == name and entry["file"] == list(state):
            return PhotoRecord(**entry["record"])
    return None


def journal_content(origin: Mapping[str, Any], entries: Iterable[Entry]) -> bytes:
    """The content of a journal's file."""
    return "".join(json.dumps(line) + "\n" for line in [dict(origin), *entries]).encode("ascii")


def read_entries(
    content: bytes, origin: Mapping[str, Any], place: str, folder: str
) -> dict[str, Entry]:
    """Read a journal's file.

    Args:
        content: What is in it.
        origin: What its predictions must have been made by.
        place: Where it is, for messages.
        folder: Where its predictions are.

    Returns:
        Entries by the photo's name without extension.

    Raises:
        UserError: If it has another origin, or does not say which.
    """
    first, *lines = content.split(b"\n")
    found = _parsed(first)
    if not isinstance(found, dict) or not lines:
        raise UserError(
            f"{place} is damaged, and nothing else says which model made the masks beside it. "
            "Delete it, and all photos are predicted again."
        )
    if found != origin:
        raise UserError(
            f"{folder} holds predictions of another model, threshold or "
            "`prediction` parameters, or with another inference.largest_piece. Give "
            "another folder (--params=predictions=FOLDER), or delete this one."
        )
    whole_lines = lines[:-1]
    entries = [entry for entry in map(_parsed, whole_lines) if _is_entry(entry)]
    damaged = len(whole_lines) - len(entries)
    if damaged:
        logger.warning("%s has %d damaged lines: their photos are predicted again.", place, damaged)
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
