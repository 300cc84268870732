"""A file here or in an object store, read and written whole."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from car_segmentation.core.files import atomic_file
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import is_store, local_path


@dataclass(frozen=True)
class FilePlace:
    """A file in a folder, which is here or in a store.

    Attributes:
        folder: The folder.
        name: The file's name in it.
    """

    folder: Path | ObjectStore
    name: str

    @classmethod
    def at(cls, place: str, credentials: Mapping[str, Any] | None = None) -> "FilePlace":
        """The file of a path or an address.

        Args:
            place: Where it is.
            credentials: Options of the store's fsspec file system.
        """
        if not is_store(place):
            path = local_path(place)
            return cls(path.parent, path.name)
        folder, _, name = place.rpartition("/")
        return cls(ObjectStore.at(folder, credentials), name)

    def __str__(self) -> str:
        if isinstance(self.folder, ObjectStore):
            return self.folder.address_of(self.name)
        return str(self.folder / self.name)

    def exists(self) -> bool:
        """Whether there is such a file."""
        if isinstance(self.folder, ObjectStore):
            return self.folder.exists(self.name)
        return (self.folder / self.name).is_file()

    def reading(self) -> AbstractContextManager[Path]:
        """The file, or a copy of it for a while.

        Raises:
            UserError: If it is in a store, and is missing or cannot be reached.
        """
        if isinstance(self.folder, ObjectStore):
            return self.folder.local(self.name)
        return nullcontext(self.folder / self.name)

    def writing(self, durable: bool = False) -> AbstractContextManager[Path]:
        """A path to write to; it takes the place of the file when the block ends well.

        Args:
            durable: See `files.atomic_file`.

        Raises:
            UserError: If it is in a store that cannot be reached.
        """
        if isinstance(self.folder, ObjectStore):
            return _uploaded(self.folder, self.name)
        return atomic_file(self.folder / self.name, durable=durable)


@contextmanager
def _uploaded(store: ObjectStore, name: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        yield path
        store.write(name, path.read_bytes())
