"""Resuming of inference in an object store: an object for each chunk of finished photos.

An object cannot be added to, and is written whole. So whoever has written the files of some photos,
a worker of a cluster perhaps, also writes an object with their records. At the end of a run there
is one object of all.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from car_segmentation.core.name_patterns import without_extension
from car_segmentation.core.object_store import TRANSFERS, ObjectStore
from car_segmentation.core.parallel import map_bounded
from car_segmentation.prediction.photo_record import PhotoRecord
from car_segmentation.prediction.resume_journal import (
    Entry,
    entry_of,
    journal_content,
    read_entries,
    record_in,
)
from car_segmentation.prediction.shards import Shard

FOLDER = ".finished"
ALL = "all"


@dataclass(frozen=True)
class ChunkJournal:
    """Writes records of chunks of photos.

    Attributes:
        store: The folder of predictions.
        origin: What decides about results, such as the model and the threshold.
        part: Of the photos, with objects of its own.
    """

    store: ObjectStore
    origin: Mapping[str, Any]
    part: str

    def name_of(self, photos: Iterable[str]) -> str:
        """Name of the object of these photos; the same ones again replace it."""
        names = b"\0".join(os.fsencode(name) for name in sorted(photos))
        return f"{FOLDER}/{self.part}/{hashlib.sha256(names).hexdigest()[:24]}.jsonl"

    def write(
        self, records: Mapping[str, PhotoRecord], states: Mapping[str, Sequence[int]]
    ) -> None:
        """Record photos whose files are all written; those without a mask are left out.

        Args:
            records: By the photo's name.
            states: Of the photos' files, by the same.
        """
        entries = [
            entry_of(record, states[name])
            for name, record in records.items()
            if record.height is not None
        ]
        if entries:
            self.store.write(self.name_of(records), journal_content(self.origin, entries))


class StoreJournal:
    """Records of finished photos in a store.

    Args:
        store: The folder of predictions.
        origin: What decides about results, such as the model and the threshold.
        shard: The part of the photos that this run predicts; None: all.

    Raises:
        UserError: If records have another origin, or do not say which.
    """

    def __init__(self, store: ObjectStore, origin: Mapping[str, Any], shard: Shard | None = None):
        self.chunks = ChunkJournal(store, origin, ALL if shard is None else str(shard))
        self._entries: dict[str, list[Entry]] = {}
        self._own: dict[str, Entry] = {}
        self._merged: set[str] = set()
        self._former: set[str] = set()
        names = sorted(store.files(FOLDER))
        contents = map_bounded(store.read_if_there, names, 4 * TRANSFERS, TRANSFERS)
        for name, content in zip(names, contents, strict=True):
            if content is None:
                continue  # Another part has put it together with others by now.
            entries = read_entries(content, origin, store.address_of(name), store.address)
            for key, entry in entries.items():
                self._entries.setdefault(key, []).append(entry)
            if shard is None or PurePosixPath(name).parts[1].removesuffix(".jsonl") == str(shard):
                self._former.add(name)
                self._own |= entries
        self._merged |= self._former
        self._whole = f"{FOLDER}/{self.chunks.part}.jsonl"
        if self._whole not in names:
            # Before the first photo: a run with another model is refused from now on.
            store.write(self._whole, journal_content(origin, []))

    def finished(self, name: str, state: Sequence[int]) -> PhotoRecord | None:
        """The record of a photo by its name; None if it is missing, or the photo has changed."""
        entries = self._entries.get(without_extension(name), [])
        record = record_in(entries, name, state)
        if record is not None:
            self.add(record, state)
        return record

    def add(self, record: PhotoRecord, state: Sequence[int]) -> None:
        """Take a record, of several of a photo the one that counts."""
        self._own[without_extension(record.photo)] = entry_of(record, state)

    def add_chunk(
        self, records: Mapping[str, PhotoRecord], states: Mapping[str, Sequence[int]]
    ) -> None:
        """Take what `ChunkJournal.write` has written."""
        self._merged.add(self.chunks.name_of(records))
        for name, record in records.items():
            if record.height is not None:
                self.add(record, states[name])

    def compact(self) -> None:
        """Put all records into one object, in order of name, and remove the others."""
        store = self.chunks.store
        entries = [self._own[name] for name in sorted(self._own)]
        store.write(self._whole, journal_content(self.chunks.origin, entries))
        present = store.files(f"{FOLDER}/{self.chunks.part}").keys() | self._former
        store.remove(self._merged & present - {self._whole})
