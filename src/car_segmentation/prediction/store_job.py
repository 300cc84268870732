"""Photos to masks in an object store; the photos may be in a folder, or in a store as well.

A chunk of photos is copied here if need be, predicted into a temporary folder, and written to the
store; then an object records that it is finished. Meanwhile the next chunk is copied, and the last
one is written. Workers of a cluster do the same with chunks of their own, and share nothing with
this machine but the store.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from tqdm import tqdm

from car_segmentation.core.dask_cluster import Cluster, cluster_in_use, in_chunks, map_on_cluster
from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.object_store import TRANSFERS, ObjectStore
from car_segmentation.core.parallel import map_bounded
from car_segmentation.prediction.composites import NOTE_FILE
from car_segmentation.prediction.folder_job import (
    PREDICTIONS_FILE,
    FolderJob,
    killed_record,
    log_summary,
    sort_finished,
)
from car_segmentation.prediction.new_photos import (
    CHUNKS_AHEAD,
    FetchedPhotos,
    NewPhotos,
    fetch,
    fetch_ahead,
)
from car_segmentation.prediction.photo_files import output_file
from car_segmentation.prediction.photo_record import PhotoRecord, write_table
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.shards import Shard, files_of_all, join_tables, shard_file
from car_segmentation.prediction.store_journal import ChunkJournal, StoreJournal

States = Mapping[str, Sequence[int]]


def write_to_store(job: FolderJob, target: ObjectStore) -> list[PhotoRecord]:
    """Predict what a folder in a store lacks, and write the table of all photos; see `FolderJob`.

    Returns:
        The rows of the table.

    Raises:
        UserError: If the store cannot be read or written, or the folder holds predictions of
            another model.
    """
    journal = StoreJournal(target, job.origin(), job.shard)
    _clear_others(job, target)
    photos = job.photos.of_shard(job.shard)
    name = photos.name
    written = {output: target.files(output).keys() for output in job.outputs}

    def finished(path: Path) -> PhotoRecord | None:
        record = journal.finished(name(path), photos.state(path))
        is_written = record is not None and all(
            output_file(Path(), output, name(path), job.backdrop).as_posix() in names
            for output, names in written.items()
        )
        return record if is_written else None

    records, missing = sort_finished(photos, finished)
    cluster = cluster_in_use()
    with tqdm(desc="predict", total=len(missing), unit="photo") as progress:
        for chunk, found in (
            _predict_here(job, target, journal.chunks, missing)
            if cluster is None
            else _predict_on(cluster, job, target, journal.chunks, missing)
        ):
            records |= zip(chunk, found, strict=True)
            by_name = {name(path): record for path, record in zip(chunk, found, strict=True)}
            journal.add_chunk(by_name, {name(path): photos.state(path) for path in chunk})
            progress.update(len(chunk))
    journal.compact()
    records = dict(sorted(records.items()))
    _write_tables(target, records, job.shard)
    log_summary(target.address, records)
    return list(records.values())


@dataclass(frozen=True)
class _Predicted:
    """A chunk whose files are in a temporary folder."""

    chunk: Sequence[Path]
    records: Sequence[PhotoRecord]
    folder: Path


def _predict_here(
    job: FolderJob, target: ObjectStore, journal: ChunkJournal, paths: Sequence[Path]
) -> Iterator[tuple[Sequence[Path], Sequence[PhotoRecord]]]:
    states = {job.photos.name(path): job.photos.state(path) for path in paths}
    deliver = partial(_deliver, target, journal, job.photos, states)
    with ExitStack() as stack:
        temporary = stack.enter_context(TemporaryDirectory())
        # Both maps are closed before the folder is removed, in which their threads still work.
        fetched = stack.enter_context(
            closing(fetch_ahead(job.photos, temporary, in_chunks(paths, job.chunk_size)))
        )
        predicted = (_predict(job, temporary, chunk) for chunk in fetched)
        delivered = map_bounded(deliver, predicted, CHUNKS_AHEAD, threads=1)
        for done in stack.enter_context(closing(delivered)):
            yield done.chunk, done.records


def _predict_on(
    cluster: Cluster,
    job: FolderJob,
    target: ObjectStore,
    journal: ChunkJournal,
    paths: Sequence[Path],
) -> Iterator[tuple[Sequence[Path], Sequence[PhotoRecord]]]:
    """Have a cluster predict photos and write their files; in any order."""
    given = {job.photos.path_for_workers(path): path for path in paths}
    models: list[str] = []

    def store(model: Any) -> FilePlace:
        models.append(f".{model_digest(model)}{'' if job.shard is None else job.shard}.keras")
        with TemporaryDirectory() as folder:
            model.save(Path(folder, "model.keras"))
            target.write(models[-1], Path(folder, "model.keras").read_bytes())
        return FilePlace(target, models[-1])

    try:
        sent = job.for_workers(store)
        # Nothing but a local folder of photos needs to be shared.
        alone = replace(cluster, shared=tuple(sorted(job.photos.shared_folders(paths))))
        items = [(path, job.photos.state(own)) for path, own in given.items()]
        work = partial(_work, sent, target, journal)
        killed = partial(_killed, sent.photos)
        chunks = in_chunks(items, job.chunk_size)
        for chunk, records in map_on_cluster(alone, work, chunks, killed):
            yield [given[path] for path, _ in chunk], records
    finally:
        with suppress(UserError):  # The store may be the reason of the end.
            target.remove(models)


def _work(
    job: FolderJob,
    target: ObjectStore,
    journal: ChunkJournal,
    chunk: Sequence[tuple[Path, Sequence[int]]],
) -> Sequence[PhotoRecord]:
    """Task of a worker."""
    states = {job.photos.name(path): state for path, state in chunk}
    with TemporaryDirectory() as temporary:
        fetched = fetch(job.photos, temporary, [path for path, _ in chunk])
        predicted = _predict(job, temporary, fetched)
        return _deliver(target, journal, job.photos, states, predicted).records


def _killed(photos: NewPhotos, item: tuple[Path, Sequence[int]]) -> PhotoRecord:
    return killed_record(photos, item[0])


def _predict(job: FolderJob, temporary: str, fetched: FetchedPhotos) -> _Predicted:
    folder = Path(mkdtemp(dir=temporary))
    local = replace(job, photos=fetched.photos)
    records = [record for _, record in local.predict(fetched.files, folder)]
    fetched.discard()
    return _Predicted(fetched.given, records, folder)


def _deliver(
    target: ObjectStore,
    journal: ChunkJournal,
    photos: NewPhotos,
    states: States,
    predicted: _Predicted,
) -> _Predicted:
    """Write the files of a chunk to the store, then its record."""
    folder = predicted.folder
    files = [path for path in folder.rglob("*") if path.is_file()]

    def write(file: Path) -> None:
        target.write(file.relative_to(folder).as_posix(), file.read_bytes())

    for _ in map_bounded(write, files, 2 * TRANSFERS, TRANSFERS):
        pass
    shutil.rmtree(folder)
    names = map(photos.name, predicted.chunk)
    journal.write(dict(zip(names, predicted.records, strict=True)), states)
    return predicted


def _clear_others(job: FolderJob, target: ObjectStore) -> None:
    """Remove pictures that the folder has by other options; see `composites.clear_if_other`."""
    for output, note in job.notes().items():
        file = f"{output}/{NOTE_FILE}"
        found = target.read_if_there(file)
        if found != note.encode():
            if found is not None:  # Else another part may be making the first ones.
                target.remove(target.files(output).keys())
            target.write(file, note.encode())


def _write_tables(
    target: ObjectStore, records: Mapping[Path, PhotoRecord], shard: Shard | None
) -> None:
    """Write the table; that of a part under its own name, and the last one joins them."""
    with TemporaryDirectory() as folder:
        table = Path(folder, PREDICTIONS_FILE)
        own = shard_file(table, shard)
        write_table(own, records.values())
        target.write(own.name, own.read_bytes())
        if shard is None:
            return
        for other in files_of_all(table, shard.count).values():
            if other != own:
                target.download(other.name, other)
        join_tables(table, shard)
        if table.is_file():
            target.write(table.name, table.read_bytes())
