from collections.abc import Iterator
from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace
from car_segmentation.core.object_store import ObjectStore, is_plain_name
from car_segmentation.core.places import options_for, store_errors, use_options
from tests.support.stores import memory_bucket


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    with memory_bucket() as bucket:
        yield ObjectStore.at(f"{bucket}/in/")


def test_what_is_written_is_listed_and_read(store: ObjectStore, tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/b c.jpg", ".hidden/c.jpg", "deep/.d.jpg", "__MACOSX/e.jpg"):
        store.write(name, name.encode())
    ObjectStore.at("memory://bucket/in2").write("f.jpg", b"")
    assert {name: size for name, (size, _) in store.files().items()} == {
        "a.jpg": 5,
        "deep/b c.jpg": 12,
    }
    assert list(store.files("deep")) == ["deep/b c.jpg"]
    assert list(store.files(".hidden")) == [".hidden/c.jpg"]
    assert store.files("other") == {}
    assert store.read("deep/b c.jpg") == b"deep/b c.jpg"
    store.download("deep/b c.jpg", tmp_path / "x/y")
    assert (tmp_path / "x/y").read_bytes() == b"deep/b c.jpg"
    with store.local("deep/b c.jpg") as copy:
        assert (copy.name, copy.read_bytes()) == ("b c.jpg", b"deep/b c.jpg")
    assert not copy.exists()
    store.remove(["a.jpg", "deep/b c.jpg"])
    assert store.files() == {}
    assert store.exists(".hidden/c.jpg") and not store.exists("a.jpg")


def test_an_object_that_is_replaced_has_another_state(store: ObjectStore) -> None:
    store.write("a", b"1")
    before = store.files()["a"]
    assert store.files()["a"] == before == ObjectStore.at(store.address_of("a")).state()
    store.write("a", b"2")
    assert store.files()["a"] != before
    assert store.state() is None


def test_what_is_missing(store: ObjectStore, tmp_path: Path) -> None:
    assert store.read_if_there("a") is None
    store.download("a", tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(UserError, match=r"^There is no memory://bucket/in/a\.$"):
        store.read("a")


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "a//b", "./a", "a/", "", "a/."])
def test_names_that_would_be_files_elsewhere(name: str) -> None:
    assert not is_plain_name(name)


def test_options_are_those_of_the_protocol_and_no_secret_is_shown() -> None:
    use_options({"memory": {"secret": "xyz"}})
    try:
        store = ObjectStore.at("memory://bucket", {"more": 1})
        assert store.options == {"secret": "xyz", "more": 1}
        assert options_for("s3://bucket") == options_for("/folder") == {}
        assert "xyz" not in f"{store!r} {store}"
    finally:
        use_options({})


class NoCredentialsError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Forbidden"), r"refuses access \(Forbidden\).*AWS_ACC"),
        (NoCredentialsError("none"), r"refuses access .*credentials\.yml"),
        (OSError("no route\nto host"), r"cannot be reached \(no route to host\).*again"),
        (TimeoutError(), r"cannot be reached \(TimeoutError\)"),
        (ImportError("Install s3fs"), r"cannot be used: Install s3fs\. .*\.\[stores\]"),
        (ValueError("Protocol not known: x"), "cannot be used: Protocol not known: x"),
        (FileNotFoundError("x"), r"^There is no s3://b/a\.$"),
        (UserError("As it was."), r"^As it was\.$"),
    ],
)
def test_each_error_is_one_sentence_with_its_mend(error: Exception, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised, store_errors("s3://b/a"):
        raise error
    assert "\n" not in str(raised.value)


def test_a_protocol_that_does_not_exist() -> None:
    with pytest.raises(UserError, match=r"nope://b/a cannot be used: Protocol not known: nope"):
        ObjectStore.at("nope://b").read("a")


def test_files_here_and_there(store: ObjectStore, tmp_path: Path) -> None:
    for place in (f"{store}/t.csv", str(tmp_path / "deep/t.csv"), f"file://{tmp_path}/u.csv"):
        file = FilePlace.at(place)
        assert not file.exists()
        with file.writing() as path:
            path.write_text("content")
            assert not file.exists()
        assert file.exists() and place.endswith(str(file))
        with file.reading() as path:
            assert (path.name, path.read_text()) == (file.name, "content")


def test_a_file_whose_writer_fails_is_not_written(store: ObjectStore) -> None:
    file = FilePlace.at(f"{store}/t.csv")

    def fail() -> None:
        with file.writing() as path:
            path.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not file.exists()
