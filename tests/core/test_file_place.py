from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace

FILE = "memory://bucket/deep/a file.txt"


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/deep/a file.txt", b"content")
    yield store
    store.store.clear()


def test_a_file_of_a_store_is_copied_for_a_while(bucket: fsspec.AbstractFileSystem) -> None:
    with FilePlace.at(FILE).reading() as copy:
        assert (copy.name, copy.read_bytes()) == ("a file.txt", b"content")
    assert not copy.parent.exists()


def test_what_a_store_lacks(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    def exists(place: str) -> bool:
        return FilePlace.at(place).exists()

    assert exists(FILE) and not exists("memory://bucket/other.txt")
    assert not exists("memory://bucket/deep")
    assert not exists(str(tmp_path))
    with (
        pytest.raises(UserError, match=r"^There is no memory://bucket/other.txt\.$"),
        FilePlace.at("memory://bucket/other.txt").reading(),
    ):
        pass


def test_a_store_that_nothing_reads() -> None:
    with pytest.raises(UserError, match=r"nosuch://b/x cannot be used: .*nosuch"):
        FilePlace.at("nosuch://b/x").exists()
