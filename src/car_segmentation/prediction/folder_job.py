"""A folder of new photos to a folder of masks, at native size.

Photos are decoded ahead in threads, predicted in batches, and enlarged and written in threads, a
few at a time, so that memory does not grow with their number. A run that was interrupted at any
moment is resumed by the next one.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tqdm import tqdm

from car_segmentation.core.dask_cluster import Cluster, cluster_in_use, in_chunks, map_on_cluster
from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.files import atomic_file, lock_folder, remove_parts
from car_segmentation.core.parallel import map_bounded
from car_segmentation.core.pixel_budget import Budget
from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from car_segmentation.data.images import read_photo
from car_segmentation.prediction.composites import Backdrop, clear_if_other
from car_segmentation.prediction.largest_piece import keep_largest_piece
from car_segmentation.prediction.new_photos import NewPhotos, fetch_ahead
from car_segmentation.prediction.photo_files import (
    COMPOSITES,
    CUT_OUTS,
    FOLDERS,
    MASKS,
    PhotoFiles,
    output_file,
)
from car_segmentation.prediction.photo_record import (
    PhotoRecord,
    expected_dice,
    mask_warnings,
    write_table,
)
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.resume_journal import JOURNAL_FILE, Journal
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.shards import Shard, join_tables, shard_file, shard_files
from car_segmentation.prediction.stored_model import stored
from car_segmentation.prediction.submission import write_submission

logger = logging.getLogger(__name__)

PREDICTIONS_FILE = "predictions.csv"
SUBMISSION_FILE = "submission.csv.gz"

AHEAD = 8
"""Photos in flight before and after the network, in addition to a batch: enough to keep it busy."""
AHEAD_AT_NATIVE_SIZE = 2
"""The same where photos wait at native size, which takes some ten times the memory."""
BATCHES_PER_TASK = 8
"""Of a cluster: enough for reading, predicting and writing to go on at the same time."""


@dataclass(frozen=True)
class ReadPhoto:
    """A photo on its way to the network.

    Attributes:
        path: Its file.
        native_shape: Height and width in pixels.
        pixels: uint8 RGB, in the size that is predicted.
        seconds: What it took so far.
    """

    path: Path
    native_shape: tuple[int, int]
    pixels: np.ndarray
    seconds: float


@dataclass(frozen=True)
class PredictedPhoto:
    """A photo on its way from the network.

    Attributes:
        photo: What went in.
        probability: float16 (height, width), in the size that was predicted, 0 to 1.
        seconds: What it took so far.
    """

    photo: ReadPhoto
    probability: np.ndarray
    seconds: float


@dataclass(frozen=True)
class FolderJob:
    """The prediction of a folder of photos.

    Attributes:
        segmenter: From photos to masks.
        photos: What to predict.
        max_megapixels: Larger photos are refused before anything is decoded.
        outputs: Folders of what is written for each photo; see `photo_files`.
        backdrop: What composites are laid on; None where there are none.
        submission: Photos of a Kaggle submission in its order; None for no submission.
        largest_piece: Whether only the largest connected piece of each mask is kept.
        shadow: Whether cut-outs and composites keep the shadow.
        shard: The part of the photos that is predicted; None: all.
    """

    segmenter: Segmenter
    photos: NewPhotos
    max_megapixels: float
    outputs: tuple[str, ...] = (MASKS,)
    backdrop: Backdrop | None = None
    submission: tuple[str, ...] | None = None
    largest_piece: bool = False
    shadow: bool = False
    shard: Shard | None = None

    def write(self, folder: Path) -> list[PhotoRecord]:
        """Predict what the folder lacks, and write the table of all photos.

        A part of the photos has a table and a journal of its own, and the part that is finished
        last joins the tables. A run of all photos takes over what parts have done.

        Returns:
            The rows of the table.

        Raises:
            UserError: If the folder cannot be written to, holds predictions of another model, or
                is being written to by another run.
        """
        part = "" if self.shard is None else str(self.shard)
        with ExitStack() as stack:
            try:
                stack.callback(lock_folder(folder, part).release)
                return self._write(folder)
            except OSError as error:
                problem = f"Predictions cannot be written to {folder}: {error.strerror}."
                raise UserError(problem) from error

    def _write(self, folder: Path) -> list[PhotoRecord]:
        journal = self._open_journal(folder)
        for output, note in self.notes().items():
            clear_if_other(folder / output, note, "cut-outs" if output == CUT_OUTS else None)
        name = self.photos.name
        files = self._files(folder)

        def finished(path: Path) -> PhotoRecord | None:
            record = journal.finished(path, name(path))
            return record if record is not None and files.exist(name(path)) else None

        records, missing = sort_finished(self.photos.of_shard(self.shard), finished)
        cluster = cluster_in_use()
        predicted = (
            self.predict(missing, folder)
            if cluster is None
            else self._predict_on(cluster, missing, folder)
        )
        for path, record in tqdm(predicted, "predict", len(missing), unit="photo"):
            records[path] = record
            if record.height is not None:
                journal.append(path, record)
        journal.compact()
        records = dict(sorted(records.items()))
        table = folder / PREDICTIONS_FILE
        write_table(shard_file(table, self.shard), records.values())
        if self.shard is not None:
            join_tables(table, self.shard)
        if self.submission is not None:
            masks = {
                name(path): output_file(folder, MASKS, name(path))
                for path, record in records.items()
                if record.height is not None
            }
            write_submission(folder / SUBMISSION_FILE, self.submission, masks)
        log_summary(folder, records)
        return list(records.values())

    def _open_journal(self, folder: Path) -> Journal:
        """Open the journal of photos finished with the same model, by this part and by others."""
        if self.shard is None:  # Else they may be those of another part at work.
            for written_to in ("", *FOLDERS):
                remove_parts(folder / written_to, inside=bool(written_to))
        whole, parts = folder / JOURNAL_FILE, shard_files(folder / JOURNAL_FILE)
        own = shard_file(whole, self.shard)
        journal = Journal(own, self.origin(), [whole, *parts], self.photos.state)
        if self.shard is None:
            journal.absorb()
            for file in (*parts, *shard_files(folder / PREDICTIONS_FILE)):
                file.unlink()
        return journal

    def origin(self) -> dict[str, Any]:
        """What decides about results."""
        return {
            "model": model_digest(self.segmenter.predictor),
            "threshold": self.segmenter.threshold,
            # Folders of before this option resume, too.
            **({"largest_piece": True} if self.largest_piece else {}),
        }

    def notes(self) -> dict[str, str]:
        """By which options the pictures are made that other ones would make anew, by folder."""
        shadow = " with shadow" if self.shadow else ""
        notes = {CUT_OUTS: f"cut-outs{shadow}"} if CUT_OUTS in self.outputs else {}
        if self.backdrop is not None:
            notes[COMPOSITES] = f"{self.backdrop.digest()}{shadow}"
        return notes

    def for_workers(self, store: Callable[[Any], FilePlace]) -> "FolderJob":
        """The same job for other processes: without its photos, its models written by `store`."""
        segmenter = replace(self.segmenter, predictor=stored(self.segmenter.predictor, store))
        return replace(self, segmenter=segmenter, photos=self.photos.for_workers(), submission=None)

    def _files(self, folder: Path) -> PhotoFiles:
        return PhotoFiles(folder, self.outputs, self.backdrop, self.shadow)

    @property
    def chunk_size(self) -> int:
        """Photos that are sent to a worker, or copied from a store, at a time."""
        return BATCHES_PER_TASK * self.segmenter.photos_at_a_time

    def predict(self, paths: Sequence[Path], folder: Path) -> Iterator[tuple[Path, PhotoRecord]]:
        """Predict photos and write their files, three stages at work at the same time."""
        if self.photos.stored is not None:
            yield from self._predict_copies(paths, folder)
            return
        ahead = AHEAD if self.segmenter.input_size else AHEAD_AT_NATIVE_SIZE
        budget = Budget()  # A cut-out takes some 70 bytes a pixel.
        read = partial(self._read, budget=budget)
        photos = map_bounded(read, paths, self.segmenter.photos_at_a_time + ahead)
        write = partial(self._write_photo, budget=budget, files=self._files(folder))
        records = map_bounded(write, self._predicted(photos), ahead)
        yield from zip(paths, records, strict=True)

    def _predict_copies(
        self, paths: Sequence[Path], folder: Path
    ) -> Iterator[tuple[Path, PhotoRecord]]:
        chunks = in_chunks(paths, self.chunk_size)
        with TemporaryDirectory() as temporary:
            for fetched in fetch_ahead(self.photos, temporary, chunks):
                done = replace(self, photos=fetched.photos).predict(fetched.files, folder)
                yield from zip(fetched.given, (record for _, record in done), strict=True)
                fetched.discard()

    def _predict_on(
        self, cluster: Cluster, paths: Sequence[Path], folder: Path
    ) -> Iterator[tuple[Path, PhotoRecord]]:
        """Have a cluster predict photos and write their files; in any order."""
        folder = folder.absolute()
        given = {self.photos.path_for_workers(path): path for path in paths}
        models: list[Path] = []

        def store(model: Any) -> FilePlace:
            models.append(shard_file(folder / f".{model_digest(model)}.part.keras", self.shard))
            with atomic_file(models[-1]) as part:
                model.save(part)
            return FilePlace(folder, models[-1].name)

        try:
            job = self.for_workers(store)
            journal = shard_file(folder / JOURNAL_FILE, self.shard)
            shared = {journal, *models, *self.photos.shared_folders(paths)}
            cluster = replace(cluster, shared=(*cluster.shared, *sorted(shared)))
            work = partial(_predict_chunk, job, folder)
            killed = partial(killed_record, job.photos)
            done = map_on_cluster(cluster, work, in_chunks(given, self.chunk_size), killed)
            for chunk, records in done:
                yield from zip((given[path] for path in chunk), records, strict=True)
        finally:
            for path in models:
                path.unlink(missing_ok=True)

    def _read(self, path: Path, budget: Budget) -> ReadPhoto | PhotoRecord:
        """Read a photo and resize it for the network; a broken one becomes its record."""
        start = time.perf_counter()
        try:
            photo = open_image(path, Limits(self.max_megapixels))
            with budget.take(photo.pixel_count):
                native_shape = photo.check()
                pixels = self.segmenter.resize(read_photo(path))
        except UnusableImage as problem:
            return PhotoRecord(self.photos.name(path), warnings=str(problem))
        except Exception as error:  # No photo, however odd, ends the run for all the others.
            return PhotoRecord(self.photos.name(path), warnings=f"cannot be read ({error})")
        return ReadPhoto(path, native_shape, pixels, time.perf_counter() - start)

    def _predicted(
        self, photos: Iterable[ReadPhoto | PhotoRecord]
    ) -> Iterator[PredictedPhoto | PhotoRecord]:
        """Photos with their probabilities, in order; records of broken ones pass through."""
        waiting: list[ReadPhoto | PhotoRecord] = []
        in_batch = 0
        for photo in photos:
            waiting.append(photo)
            in_batch += isinstance(photo, ReadPhoto)
            if in_batch == self.segmenter.photos_at_a_time:
                yield from self._predict_batch(waiting)
                waiting, in_batch = [], 0
        yield from self._predict_batch(waiting)

    def _predict_batch(
        self, waiting: Sequence[ReadPhoto | PhotoRecord]
    ) -> Iterator[PredictedPhoto | PhotoRecord]:
        start = time.perf_counter()
        resized = [photo.pixels for photo in waiting if isinstance(photo, ReadPhoto)]
        probabilities = iter(self.segmenter.predict_batch(resized) if resized else ())
        seconds = (time.perf_counter() - start) / max(1, len(resized))
        for photo in waiting:
            if isinstance(photo, ReadPhoto):
                yield PredictedPhoto(photo, next(probabilities), photo.seconds + seconds)
            else:
                yield photo

    def _write_photo(
        self, predicted: PredictedPhoto | PhotoRecord, budget: Budget, files: PhotoFiles
    ) -> PhotoRecord:
        """Write the files of a photo at native size, and say what is in them."""
        if isinstance(predicted, PhotoRecord):
            return predicted
        start = time.perf_counter()
        photo, threshold = predicted.photo, self.segmenter.threshold
        name = self.photos.name(photo.path)
        height, width = photo.native_shape
        with budget.take(height * width):
            probability = to_native_size(predicted.probability, height, width)
            if self.largest_piece:
                probability = keep_largest_piece(probability, threshold)
            mask = probability >= threshold
            try:
                files.write(photo.path, name, probability, mask, threshold)
            except UnusableImage as problem:
                return PhotoRecord(name, warnings=f"{problem}, though it was read before")
            return PhotoRecord(
                photo=name,
                height=height,
                width=width,
                foreground_share=round(np.count_nonzero(mask) / mask.size, 6),
                confidence=round(expected_dice(probability, mask), 4),
                seconds=round(predicted.seconds + time.perf_counter() - start, 3),
                warnings=mask_warnings(mask, photo.native_shape, photo.pixels.shape[:2]),
            )


def sort_finished(
    photos: NewPhotos, finished: Callable[[Path], PhotoRecord | None]
) -> tuple[dict[Path, PhotoRecord], list[Path]]:
    """Sort out photos that need not be predicted.

    Args:
        photos: All of a run.
        finished: The record of a photo that is finished; None if it is not.

    Returns:
        The records of finished and of unusable photos, and the photos that are missing.
    """
    done = {path: record for path in photos.usable if (record := finished(path)) is not None}
    missing = [path for path in photos.usable if path not in done]
    if done:
        logger.info("%d photos are finished, %d are to be predicted", len(done), len(missing))
    why = {path: PhotoRecord(photos.name(path), warnings=why) for path, why in photos.rejected}
    return why | done, missing


def _predict_chunk(job: FolderJob, folder: Path, paths: Sequence[Path]) -> list[PhotoRecord]:
    """Task of a worker of a cluster."""
    return [record for _, record in job.predict(paths, folder)]


def killed_record(photos: NewPhotos, path: Path) -> PhotoRecord:
    """What stands for a photo that kills its workers."""
    return PhotoRecord(
        photos.name(path), warnings="every worker that tried it was killed, perhaps out of memory"
    )


def log_summary(folder: Path | str, records: Mapping[Path, PhotoRecord]) -> None:
    """Log how many masks are in a folder, and how many photos have none."""
    broken = {path: record for path, record in records.items() if record.height is None}
    logger.info("%d masks are in %s/%s", len(records) - len(broken), folder, MASKS)
    if broken:
        first, record = next(iter(broken.items()))
        logger.warning(
            "%d files could not be predicted; the first: %s %s. All of them: %s",
            len(broken),
            first,
            record.warnings,
            f"{folder}/{PREDICTIONS_FILE}",
        )
