from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import (
    exists,
    is_store,
    local_copy,
    local_path,
    unusable_address,
)

FILE = "memory://bucket/deep/a file.txt"


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/deep/a file.txt", b"content")
    yield store
    store.store.clear()


@pytest.mark.parametrize("place", ["s3://b/x", "gs://b", "abfs://c@a/x", "https://host/x"])
def test_stores_are_no_folders(place: str) -> None:
    assert is_store(place)
    with pytest.raises(UserError, match=r"is in an object store.*copy the bucket.*name that"):
        local_path(place)


@pytest.mark.parametrize("place", ["/photos", "photos/a", "C:/photos", "C:\\photos", "a:b", ""])
def test_paths_are_what_they_were(place: str) -> None:
    assert local_path(place) == Path(place)
    assert unusable_address(place) == ""


def test_addresses_of_local_files_are_paths() -> None:
    assert local_path("file:///photos/a%20b") == Path("/photos/a b")
    assert unusable_address(["ok", "file:///photos"]) == "write the path itself, /photos"


def test_a_file_of_a_store_is_copied_for_a_while(bucket: fsspec.AbstractFileSystem) -> None:
    with local_copy(FILE) as copy:
        assert (copy.name, copy.read_bytes()) == ("a file.txt", b"content")
    assert not copy.parent.exists()


def test_what_a_store_lacks(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    assert exists(FILE) and not exists("memory://bucket/other.txt")
    assert not exists("memory://bucket/deep")
    assert not exists(str(tmp_path))
    with (
        pytest.raises(UserError, match=r"^There is no memory://bucket/other.txt\.$"),
        local_copy("memory://bucket/other.txt"),
    ):
        pass


def test_a_store_that_nothing_reads() -> None:
    with pytest.raises(UserError, match=r"nosuch://b/x cannot be used: .*nosuch"):
        exists("nosuch://b/x")
