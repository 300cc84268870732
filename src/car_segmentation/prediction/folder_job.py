"""Masks of new photos, at native size.

Photos are decoded ahead in threads, predicted in batches, and enlarged and written in threads, a
few at a time, so that memory does not grow with their number. A run that was stopped at any
moment is taken up by the next one.
"""

import csv
import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from car_segmentation.core.dask_cluster import Cluster, cluster_in_use, in_chunks, map_on_cluster
from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file, remove_parts
from car_segmentation.core.parallel import map_ahead
from car_segmentation.data.images import (
    PHOTO_SUFFIXES,
    UnusableImage,
    photo_size,
    read_photo,
    resize_by_area,
)
from car_segmentation.data.pairing import files_by_id
from car_segmentation.prediction.composites import Backdrop, clear_other_composites, composite
from car_segmentation.prediction.cutouts import cut_out
from car_segmentation.prediction.predictors import Predictor, stored
from car_segmentation.prediction.probability_maps import to_native_size
from car_segmentation.prediction.resume_journal import Journal, PhotoRecord
from car_segmentation.prediction.submission import write_submission

logger = logging.getLogger(__name__)

PREDICTIONS_FILE = "predictions.csv"
JOURNAL_FILE = ".finished.jsonl"
SUBMISSION_FILE = "submission.csv.gz"
MASKS, PROBABILITY_MAPS = "masks", "probability_maps"
CUT_OUTS, COMPOSITES = "cut_outs", "composites"

AHEAD = 8
"""Photos under way before and after the network, beside a batch: enough to keep it busy."""
AHEAD_AT_NATIVE_SIZE = 2
"""The same where photos wait at native size, which takes some ten times the memory."""
BATCHES_PER_TASK = 8
"""Of a cluster: enough for reading, predicting and writing to go on at the same time."""
PROBABILITY_STEPS = 65535
"""Levels of a probability map, which has 16 bits."""
DISTORTION = 1.25
"""How far a photo's proportions may be from the network's before it says so."""


@dataclass(frozen=True)
class NewPhotos:
    """The files of a folder.

    Attributes:
        usable: Photos to predict, each with a name of its own.
        rejected: Files that cannot be predicted, with the reason.
    """

    usable: tuple[Path, ...]
    rejected: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class ReadPhoto:
    """A photo on its way to the network.

    Attributes:
        path: Its file.
        native_shape: Height and width in pixels.
        pixels: uint8 RGB of the network's size; of native size for a predictor of any size.
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
        probability: float16 (height, width) of the size that was predicted, 0 to 1.
        seconds: What it took so far.
    """

    photo: ReadPhoto
    probability: np.ndarray
    seconds: float


@dataclass(frozen=True)
class PendingPredictions:
    """Predictions that are still to be made, straight into a folder.

    Attributes:
        model: From photos to probabilities; `predictors.better_predictor` makes better ones.
        threshold: Probability from which a pixel is car.
        photos: What to predict.
        batch_size: Photos that the model predicts at a time.
        max_megapixels: Larger photos are refused before anything is decoded.
        outputs: Folders of what is written for each photo.
        backdrop: What `COMPOSITES` are laid on; None where there are none.
        submission: Photos of a Kaggle submission in its order; None for no submission.
    """

    model: Predictor
    threshold: float
    photos: NewPhotos
    batch_size: int
    max_megapixels: float
    outputs: tuple[str, ...] = (MASKS,)
    backdrop: Backdrop | None = None
    submission: tuple[str, ...] | None = None

    def write(self, folder: Path) -> None:
        """Predict what the folder lacks, and write the table of all photos.

        Raises:
            UserError: If the folder cannot be written to, or holds predictions of another model.
        """
        try:
            self._write(folder)
        except OSError as error:
            raise UserError(
                f"Predictions cannot be written to {folder}: {error.strerror}."
            ) from error

    def _write(self, folder: Path) -> None:
        for written_to in ("", MASKS, PROBABILITY_MAPS, CUT_OUTS, COMPOSITES):
            remove_parts(folder / written_to)
        origin = {"model": model_digest(self.model), "threshold": self.threshold}
        journal = Journal(folder / JOURNAL_FILE, origin)
        if self.backdrop is not None:
            clear_other_composites(folder / COMPOSITES, self.backdrop)
        records = {path: PhotoRecord(path.name, warnings=why) for path, why in self.photos.rejected}
        missing = []
        for path in self.photos.usable:
            record = journal.finished(path)
            files = (
                output_file(folder, output, path.name, self.backdrop) for output in self.outputs
            )
            if record is not None and all(file.is_file() for file in files):
                records[path] = record
            else:
                missing.append(path)
        if len(missing) < len(self.photos.usable):
            done = len(self.photos.usable) - len(missing)
            logger.info("%d photos are finished, %d are to be predicted", done, len(missing))

        cluster = cluster_in_use()
        predicted = (
            self._predict(missing, folder)
            if cluster is None
            else self._predict_on(cluster, missing, folder)
        )
        for path, record in tqdm(predicted, "predict", len(missing), unit="photo"):
            records[path] = record
            if record.height is not None:
                journal.append(path, record)
        journal.compact()
        records = {path: records[path] for path in sorted(records)}
        write_table(folder / PREDICTIONS_FILE, records.values())
        if self.submission is not None:
            masks = {
                path.name: output_file(folder, MASKS, path.name)
                for path, record in records.items()
                if record.height is not None
            }
            write_submission(folder / SUBMISSION_FILE, self.submission, masks)
        _log_summary(folder, records)

    def _predict(self, paths: Sequence[Path], folder: Path) -> Iterator[tuple[Path, PhotoRecord]]:
        """Predict photos and write their files, three stages at work at the same time."""
        shape = network_size(self.model)
        batch_size, ahead = (self.batch_size, AHEAD) if shape else (1, AHEAD_AT_NATIVE_SIZE)
        read = partial(_read, shape=shape, max_megapixels=self.max_megapixels)
        photos = map_ahead(read, paths, batch_size + ahead)
        write = partial(
            _write_files,
            folder=folder,
            threshold=self.threshold,
            outputs=self.outputs,
            backdrop=self.backdrop,
        )
        records = map_ahead(write, self._predicted(photos, batch_size), ahead)
        return zip(paths, records, strict=True)

    def _predict_on(
        self, cluster: Cluster, paths: Sequence[Path], folder: Path
    ) -> Iterator[tuple[Path, PhotoRecord]]:
        """Have a cluster predict photos and write their files; in any order."""
        folder = folder.absolute()
        given = {path.absolute(): path for path in paths}
        models: list[Path] = []

        def store(model: Any) -> Path:
            models.append(folder / f".{model_digest(model)}.part.keras")
            with atomic_file(models[-1]) as part:
                model.save(part)
            return models[-1]

        try:
            job = replace(self, model=stored(self.model, store), photos=NO_PHOTOS, submission=None)
            shared = {folder / JOURNAL_FILE, *models, *(path.parent for path in given)}
            cluster = replace(cluster, shared=(*cluster.shared, *sorted(shared)))
            size = BATCHES_PER_TASK * (self.batch_size if network_size(self.model) else 1)
            work = partial(_predict_chunk, job, folder)
            done = map_on_cluster(cluster, work, in_chunks(given, size), _killed)
            for chunk, records in done:
                yield from zip((given[path] for path in chunk), records, strict=True)
        finally:
            for path in models:
                path.unlink(missing_ok=True)

    def _predicted(
        self, photos: Iterable[ReadPhoto | PhotoRecord], batch_size: int
    ) -> Iterator[PredictedPhoto | PhotoRecord]:
        """Photos with their probabilities, in order; records of broken ones pass through."""
        waiting: list[ReadPhoto | PhotoRecord] = []
        in_batch = 0
        for photo in photos:
            waiting.append(photo)
            in_batch += isinstance(photo, ReadPhoto)
            if in_batch == batch_size:
                yield from self._predict_batch(waiting, batch_size)
                waiting, in_batch = [], 0
        yield from self._predict_batch(waiting, batch_size)

    def _predict_batch(
        self, waiting: Sequence[ReadPhoto | PhotoRecord], batch_size: int
    ) -> Iterator[PredictedPhoto | PhotoRecord]:
        start = time.perf_counter()
        photos = [photo for photo in waiting if isinstance(photo, ReadPhoto)]
        probabilities = iter(predict_full_batch(self.model, photos, batch_size))
        seconds = (time.perf_counter() - start) / max(1, len(photos))
        for photo in waiting:
            if isinstance(photo, ReadPhoto):
                yield PredictedPhoto(photo, next(probabilities), photo.seconds + seconds)
            else:
                yield photo


NO_PHOTOS = NewPhotos((), ())


def _predict_chunk(
    job: PendingPredictions, folder: Path, paths: Sequence[Path]
) -> list[PhotoRecord]:
    """What a worker of a cluster does."""
    return [record for _, record in job._predict(paths, folder)]


def _killed(path: Path) -> PhotoRecord:
    return PhotoRecord(
        path.name, warnings="every worker that tried it was killed, for want of memory perhaps"
    )


def sort_out_photos(files: Sequence[Path]) -> NewPhotos:
    """Tell photos from other files, and refuse those that would write the same mask."""
    by_id, rejected = files_by_id(files, PHOTO_SUFFIXES)
    return NewPhotos(tuple(sorted(by_id.values())), tuple(rejected))


def output_file(folder: Path, output: str, photo: str, backdrop: Backdrop | None = None) -> Path:
    """Where an output, `MASKS` say, of a photo, given by its file name, is."""
    suffix = backdrop.suffix if output == COMPOSITES and backdrop is not None else ".png"
    return folder / output / f"{Path(photo).stem}{suffix}"


def network_size(model: Predictor) -> tuple[int, int] | None:
    """Height and width that photos are resized to; None where they keep their native size."""
    height, width = model.input_shape[1:3]
    return None if height is None or width is None else (height, width)


def model_digest(model: Predictor) -> str:
    """Tells models apart: a digest of architecture and weights."""
    digest = hashlib.blake2b(model.to_json().encode(), digest_size=16)
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()


def predict_full_batch(
    model: Predictor, photos: Sequence[ReadPhoto], batch_size: int
) -> list[np.ndarray]:
    """Probability maps, float16 (height, width), of at most ``batch_size`` photos.

    The batch is filled up with black: one shape is compiled once, and a photo's mask does not
    depend on how many came with it. Maps have the precision of those that reporting scores.
    """
    if not photos:
        return []
    height, width = photos[0].pixels.shape[:2]
    batch = np.zeros((batch_size, height, width, 3), np.uint8)
    for row, photo in enumerate(photos):
        batch[row] = photo.pixels
    probabilities = np.asarray(model.predict_on_batch(batch))
    return list(probabilities[: len(photos), ..., 0].astype(np.float16))


def expected_dice(probability: np.ndarray, mask: np.ndarray) -> float:
    """The Dice that a model expects of its mask, if its probabilities are right.

    Args:
        probability: float32 (height, width), 0 to 1.
        mask: bool (height, width).

    Returns:
        Twice the probability inside the mask, by the mask's area and all probability; 0 to 1,
        and 0 for an empty mask.
    """
    area = np.count_nonzero(mask)
    if area == 0:
        return 0.0
    inside = cv2.mean(probability, mask.view(np.uint8))[0] * area
    return 2 * inside / (area + float(probability.sum(dtype=np.float64)))


def describe_oddities(
    mask: np.ndarray, native_shape: tuple[int, int], network_shape: tuple[int, int]
) -> str:
    """What a user should look at, parted by semicolons; empty where nothing is odd.

    Args:
        mask: bool (height, width).
        native_shape: Height and width of the photo.
        network_shape: Height and width that the network sees.
    """
    (height, width), (network_height, network_width) = native_shape, network_shape
    stretch = (width / height) / (network_width / network_height)
    oddities = {
        "nothing was found": not mask.any(),
        "the mask touches the photo's border": bool(mask[[0, -1]].any() or mask[:, [0, -1]].any()),
        "the photo is smaller than what the network sees "
        f"({network_width}×{network_height})": height < network_height and width < network_width,
        f"the network sees the photo distorted ({network_width}×{network_height})": max(
            stretch, 1 / stretch
        )
        > DISTORTION,
    }
    return "; ".join(oddity for oddity, found in oddities.items() if found)


def write_table(path: Path, records: Iterable[PhotoRecord]) -> None:
    """Write records as a CSV file, UTF-8, in one step."""
    with (
        atomic_file(path) as part,
        # Names that are no UTF-8 are written as the bytes that they are.
        part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.DictWriter(file, list(PhotoRecord.__dataclass_fields__), lineterminator="\n")
        table.writeheader()
        table.writerows(vars(record) for record in records)


def _read(
    path: Path, shape: tuple[int, int] | None, max_megapixels: float
) -> ReadPhoto | PhotoRecord:
    """Read a photo and resize it for the network; a broken one becomes its record."""
    start = time.perf_counter()
    try:
        native_shape = photo_size(path, max_megapixels)
        pixels = read_photo(path)
        if shape is not None:
            pixels = resize_by_area(pixels, *shape)
    except UnusableImage as problem:
        return PhotoRecord(path.name, warnings=str(problem))
    except Exception as error:  # No photo, however odd, ends the run for all the others.
        return PhotoRecord(path.name, warnings=f"cannot be read ({error})")
    return ReadPhoto(path, native_shape, pixels, time.perf_counter() - start)


def _write_files(
    predicted: PredictedPhoto | PhotoRecord,
    folder: Path,
    threshold: float,
    outputs: Sequence[str],
    backdrop: Backdrop | None,
) -> PhotoRecord:
    """Write the files of a photo at native size, and say what is in them."""
    if isinstance(predicted, PhotoRecord):
        return predicted
    start = time.perf_counter()
    photo = predicted.photo
    height, width = photo.native_shape
    probability = to_native_size(predicted.probability, height, width)
    mask = probability >= threshold

    @cache
    def car() -> np.ndarray:
        # Decoded again, because photos that wait at native size would cost memory.
        return cut_out(read_photo(photo.path), probability, threshold)

    def on_backdrop() -> np.ndarray:
        if backdrop is None:
            raise ValueError("composites need a backdrop")
        return composite(car(), backdrop.behind(height, width))

    pictures: dict[str, Callable[[], np.ndarray]] = {
        MASKS: lambda: mask.view(np.uint8) * np.uint8(255),
        PROBABILITY_MAPS: lambda: np.rint(probability * PROBABILITY_STEPS).astype(np.uint16),
        CUT_OUTS: car,
        COMPOSITES: on_backdrop,
    }
    for output in outputs:
        try:
            picture = pictures[output]()
        except UnusableImage as problem:
            return PhotoRecord(photo.path.name, warnings=f"{problem}, though it was read before")
        _write_picture(output_file(folder, output, photo.path.name, backdrop), picture)
    return PhotoRecord(
        photo=photo.path.name,
        height=height,
        width=width,
        foreground_share=round(np.count_nonzero(mask) / mask.size, 6),
        confidence=round(expected_dice(probability, mask), 4),
        seconds=round(predicted.seconds + time.perf_counter() - start, 3),
        warnings=describe_oddities(mask, photo.native_shape, photo.pixels.shape[:2]),
    )


def _write_picture(path: Path, image: np.ndarray) -> None:
    """Write grey, RGB or RGBA, 8 or 16 bits, in the format of the file's extension."""
    if image.ndim == 3:
        from_rgb = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
        image = cv2.cvtColor(image, from_rgb[image.shape[2]])
    _, content = cv2.imencode(path.suffix, image)
    # Of a cluster, two workers may have the same photo: one that seemed dead, and another.
    with atomic_file(path, writer=uuid.uuid4().hex[:8]) as part:
        part.write_bytes(content.tobytes())


def _log_summary(folder: Path, records: dict[Path, PhotoRecord]) -> None:
    broken = {path: record for path, record in records.items() if record.height is None}
    logger.info("%d masks are in %s", len(records) - len(broken), folder / MASKS)
    if broken:
        first, record = next(iter(broken.items()))
        logger.warning(
            "%d files could not be predicted; the first: %s %s. All of them: %s",
            len(broken),
            first,
            record.warnings,
            folder / PREDICTIONS_FILE,
        )
