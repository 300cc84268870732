from collections.abc import Iterator
from pathlib import Path

import pytest

from car_segmentation.core import store_copy
from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.store_copy import copy_objects
from tests.support.photos import contents
from tests.support.stores import memory_bucket


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    with memory_bucket() as bucket:
        found = ObjectStore.at(f"{bucket}/raw")
        for name in ("a.jpg", "deep/b.jpg", "own/c.png"):
            found.write(name, name.encode())
        yield found


def test_only_what_is_new_is_copied(store: ObjectStore, tmp_path: Path) -> None:
    assert copy_objects(store, store.files(), tmp_path) == 3
    assert contents(tmp_path) == {name: name.encode() for name in store.files()}
    assert copy_objects(store, store.files(), tmp_path) == 0
    store.write("a.jpg", b"A.JPG")  # As large as before.
    store.remove(["deep/b.jpg"])
    (tmp_path / "own/c.png").write_bytes(b"mine")
    (tmp_path / "own/d.png").write_bytes(b"mine")
    (tmp_path / ".a.part.jpg").write_bytes(b"of a kill")
    assert copy_objects(store, store.files(), tmp_path, own="own") == 1
    assert contents(tmp_path) == {"a.jpg": b"A.JPG", "own/c.png": b"mine", "own/d.png": b"mine"}
    assert copy_objects(store, store.files(), tmp_path) == 1
    assert contents(tmp_path) == {"a.jpg": b"A.JPG", "own/c.png": b"own/c.png"}


def test_what_cannot_be_copied(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"memory://bucket/raw/\.\./x has a name that is not"):
        copy_objects(store, {"../x": (1, 1)}, tmp_path / "copy")
    assert not (tmp_path / "x").exists()
    with pytest.raises(UserError, match=r"raw/gone\.jpg has been removed meanwhile"):
        copy_objects(store, {"gone.jpg": (1, 1)}, tmp_path / "copy")
    assert contents(tmp_path) == {}
    with pytest.raises(UserError, match=r"lacks 9000000000\.0 gigabytes .* make room"):
        copy_objects(store, {"a.jpg": (9 * 10**18, 1)}, tmp_path / "copy")


def test_a_killed_copy_goes_on(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = ObjectStore.download

    def fails(self: ObjectStore, name: str, file: Path) -> None:
        if name.startswith("own"):
            raise KeyboardInterrupt
        download(self, name, file)

    with monkeypatch.context() as patch:
        patch.setattr(store_copy.ObjectStore, "download", fails)
        with pytest.raises(KeyboardInterrupt):
            copy_objects(store, store.files(), tmp_path)
    assert set(contents(tmp_path)) == {"a.jpg", "deep/b.jpg"}
    assert copy_objects(store, store.files(), tmp_path) == 1
