from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_store, local_path, unusable_address


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
