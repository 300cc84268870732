"""The photos to predict: files of a folder, or objects of a store, which are copied by chunks."""

import logging
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import TRANSFERS, ObjectStore, State, is_plain_name
from car_segmentation.core.parallel import map_bounded
from car_segmentation.data.image_files import Limits
from car_segmentation.data.images import PHOTO_SUFFIXES
from car_segmentation.data.pairing import describe_files, name_files, relative_name
from car_segmentation.prediction.resume_journal import file_state
from car_segmentation.prediction.shards import Shard

logger = logging.getLogger(__name__)

CHUNKS_AHEAD = 2
"""Chunks of photos that are copied before they are needed, or wait to be written."""


@dataclass(frozen=True)
class StoredPhotos:
    """The objects of a folder in a store, as they were listed.

    Attributes:
        store: The folder.
        states: Of each object, by its name in the folder.
    """

    store: ObjectStore
    states: Mapping[str, State]

    @classmethod
    def at(cls, store: ObjectStore) -> "StoredPhotos":
        """List a folder, or take a single object."""
        state = store.state()
        if state is None:
            return cls(store, store.files())
        folder, _, name = store.address.rpartition("/")
        return cls(ObjectStore(folder, store.options), {name: state})

    def __len__(self) -> int:
        return len(self.states)

    def outside(self, predictions: str) -> "StoredPhotos":
        """Those that are not in a folder of predictions, which has pictures too.

        Raises:
            UserError: If it is the same folder.
        """
        if predictions.rstrip("/") == self.store.address:
            raise UserError(
                f"Predictions need a folder of their own: {predictions} holds the photos."
            )
        inside = f"{predictions.rstrip('/')}/"
        states = {
            name: state
            for name, state in self.states.items()
            if not self.store.address_of(name).startswith(inside)
        }
        return StoredPhotos(self.store, states)


@dataclass(frozen=True)
class NewPhotos:
    """The files of a folder, and of folders inside it.

    Attributes:
        folder: What names are relative to; of a store, the empty path.
        usable: Photos to predict, each with a name of its own.
        rejected: Files that cannot be predicted, with the reason.
        stored: Where photos are whose paths are only names; None: they are files.
    """

    folder: Path
    usable: tuple[Path, ...] = ()
    rejected: tuple[tuple[Path, str], ...] = ()
    stored: StoredPhotos | None = None

    def name(self, path: Path) -> str:
        """Name of a photo: its path in the folder, with ``/``."""
        return relative_name(path, self.folder)

    def state(self, path: Path) -> Sequence[int]:
        """Tells whether a photo has been replaced."""
        if self.stored is None:
            return file_state(path)
        return self.stored.states.get(self.name(path), ())

    def of_shard(self, shard: Shard | None) -> "NewPhotos":
        """Those of a part; None: all."""
        if shard is None:
            return self
        return NewPhotos(
            self.folder,
            tuple(path for path in self.usable if shard.holds(self.name(path))),
            tuple((path, why) for path, why in self.rejected if shard.holds(self.name(path))),
            self.stored,
        )

    def for_workers(self) -> "NewPhotos":
        """The same folder for other processes, without its photos."""
        if self.stored is None:
            return NewPhotos(self.folder.absolute())
        return NewPhotos(self.folder, stored=StoredPhotos(self.stored.store, {}))

    def path_for_workers(self, path: Path) -> Path:
        """How `for_workers` has the path of a photo."""
        return path.absolute() if self.stored is None else path

    def shared_folders(self, paths: Iterable[Path]) -> set[Path]:
        """Folders that workers must see to read photos."""
        return {path.absolute().parent for path in paths} if self.stored is None else set()


def sort_out_photos(files: Sequence[Path] | StoredPhotos, folder: Path = Path()) -> NewPhotos:
    """Separate photos from other files, and refuse those that would write the same mask.

    Args:
        files: Files in the folder and in folders inside it, or objects of a store.
        folder: What files' names are relative to.
    """
    stored, problems = None, dict[str, str]()
    if isinstance(files, StoredPhotos):
        stored, folder = files, Path()
        problems = {name: _problem(name, size) for name, (size, _) in sorted(files.states.items())}
        files = [Path(name) for name, problem in problems.items() if not problem]
    refused = [(Path(name), problem) for name, problem in problems.items() if problem]
    named = name_files(files, folder, PHOTO_SUFFIXES, any_bytes=True)
    if named.aside:
        logger.info("%s were skipped", describe_files(named.aside))
    rejected = (*refused, *named.rejected)
    return NewPhotos(folder, tuple(sorted(named.images.values())), rejected, stored)


def _problem(name: str, size: int) -> str:
    """Why an object is not copied here; else empty."""
    if not is_plain_name(name):
        return "has a name that is not a path in a folder: rename it"
    if size > Limits().megabytes * 1e6:
        return f"is too large: {size / 1e6:.0f} megabytes (at most {Limits().megabytes:g})"
    return ""


@dataclass(frozen=True)
class FetchedPhotos:
    """Some photos, as files of this machine.

    Attributes:
        given: As `NewPhotos` has them.
        photos: What the files' names are relative to.
        files: The files, in the same order.
        folder: Where copies are; None: there are none.
    """

    given: Sequence[Path]
    photos: NewPhotos
    files: Sequence[Path]
    folder: Path | None = None

    def discard(self) -> None:
        """Delete the copies."""
        if self.folder is not None:
            shutil.rmtree(self.folder)


def fetch(photos: NewPhotos, temporary: str, given: Sequence[Path]) -> FetchedPhotos:
    """Copy photos to a folder inside a temporary one, if they are in a store."""
    if photos.stored is None:
        return FetchedPhotos(given, photos, given)
    store, folder = photos.stored.store, Path(mkdtemp(dir=temporary))

    def copy(name: str) -> Path:
        # One that is gone by now becomes a missing file, which its reader reports.
        store.download(name, folder / name)
        return folder / name

    files = list(map_bounded(copy, map(photos.name, given), 2 * TRANSFERS, TRANSFERS))
    return FetchedPhotos(given, NewPhotos(folder), files, folder)


def fetch_ahead(
    photos: NewPhotos, temporary: str, chunks: Iterable[Sequence[Path]]
) -> Generator[FetchedPhotos, None, None]:
    """Fetch chunks of photos, the next one while one is in use."""
    return map_bounded(partial(fetch, photos, temporary), chunks, CHUNKS_AHEAD, threads=1)
