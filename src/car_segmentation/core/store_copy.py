"""A copy of a part of an object store in a folder, kept up to date object by object."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.object_store import TRANSFERS, ObjectStore, State, is_plain_name
from car_segmentation.core.parallel import map_bounded


def copy_objects(
    store: ObjectStore, objects: Mapping[str, State], folder: Path, own: str | None = None
) -> int:
    """Have a folder hold these objects and nothing else, copying those that it lacks.

    A copy has the size of its object, and for its time a number that stands for the object's
    version: so it is known without an index whether it is up to date, whenever a run was killed.

    Args:
        store: What names are relative to.
        objects: The objects, by name.
        folder: The folder of this machine.
        own: A folder inside it whose files belong to this machine: they are neither replaced nor
            removed.

    Returns:
        How many were copied.

    Raises:
        UserError: If the store cannot be read, the disk has no room, or an object's name would be
            that of a file elsewhere.
    """
    odd = [name for name in objects if not is_plain_name(name)]
    if odd:
        raise UserError(f"{store.address_of(odd[0])} has a name that is not a path: rename it.")

    def is_own(name: str) -> bool:
        return own is not None and name.startswith(f"{own}/")

    missing = {
        name: state
        for name, state in objects.items()
        if (found := _state_of(folder / name)) is None or (found != state and not is_own(name))
    }
    _make_room(store, sum(size for size, _ in missing.values()), folder)

    def copy(item: tuple[str, State]) -> None:
        name, (_, version) = item
        with atomic_file(folder / name) as part:
            store.download(name, part)
            if not part.exists():
                raise UserError(f"{store.address_of(name)} has been removed meanwhile: run again.")
            os.utime(part, (version, version))

    copies = map_bounded(copy, missing.items(), 2 * TRANSFERS, TRANSFERS)
    for _ in tqdm(copies, f"copy {store}", len(missing), unit="file", disable=not missing):
        pass
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in objects and not is_own(name):
            path.unlink()
    return len(missing)


def _state_of(file: Path) -> State | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_size, int(state.st_mtime)


def _make_room(store: ObjectStore, size: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(
            f"{store} is copied to {folder}, which lacks {size / 1e9:.1f} gigabytes and has "
            f"{free / 1e9:.1f} free: make room, or take a part of it (photo_folder, mask_folder)."
        )
