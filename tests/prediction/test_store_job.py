"""Photos in a store, masks in a store: equal to what folders give, and resumed."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore
from car_segmentation.core.places import store_errors
from car_segmentation.prediction.composites import read_backdrop
from car_segmentation.prediction.folder_job import FolderJob
from car_segmentation.prediction.new_photos import NewPhotos, StoredPhotos, fetch, sort_out_photos
from car_segmentation.prediction.photo_record import PhotoRecord
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.prediction.shards import Shard
from car_segmentation.prediction.store_job import write_to_store
from car_segmentation.prediction.store_journal import StoreJournal
from tests.support.models import Darkness
from tests.support.photos import contents, write_discs
from tests.support.stores import memory_bucket, stored_contents, upload

NUMBER = 70
"""Photos; at two a batch, there are chunks of sixteen."""


@pytest.fixture
def bucket() -> Iterator[str]:
    with memory_bucket() as address:
        yield address


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs") / "photos"
    write_discs(folder, NUMBER)
    (folder / "deep").mkdir()
    (folder / "001.png").rename(folder / "deep/001.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "notes.txt").write_text("notes")
    return folder


@pytest.fixture
def source(photos: Path, bucket: str) -> ObjectStore:
    store = ObjectStore.at(f"{bucket}/in")
    upload(photos, store)
    return store


@pytest.fixture
def target(bucket: str) -> ObjectStore:
    return ObjectStore.at(f"{bucket}/out")


def local_photos(folder: Path) -> NewPhotos:
    return sort_out_photos(sorted(it for it in folder.rglob("*") if it.is_file()), folder)


def job_for(photos: NewPhotos, model: Darkness | None = None, **options) -> FolderJob:
    segmenter = Segmenter(model or Darkness(), options.pop("threshold", 0.5), 2)
    return FolderJob(segmenter, photos, 1.0, **options)


def stored_photos(source: ObjectStore) -> NewPhotos:
    return sort_out_photos(StoredPhotos.at(source))


def without_seconds(table: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(table)).drop(columns="seconds")


OUTPUTS = ("masks", "probability_maps", "cut_outs", "composites")


def test_every_pair_of_places_gives_the_same_files(
    photos: Path, source: ObjectStore, target: ObjectStore, tmp_path: Path
) -> None:
    options = {"outputs": OUTPUTS, "backdrop": read_backdrop("white", ".jpg", 1.0)}
    job_for(local_photos(photos), **options).write(tmp_path / "local")
    expected = contents(tmp_path / "local")
    table = without_seconds(expected["predictions.csv"])
    assert len(table) == NUMBER + 1
    pictures = {name: data for name, data in expected.items() if name.endswith(("png", "jpg"))}
    assert len(pictures) == 4 * NUMBER

    job_for(stored_photos(source), **options).write(tmp_path / "from store")
    found = contents(tmp_path / "from store")
    assert {name: found[name] for name in pictures} == pictures
    pd.testing.assert_frame_equal(without_seconds(found["predictions.csv"]), table)

    for given, place in (
        (stored_photos(source), target),
        (local_photos(photos), ObjectStore.at(f"{target}2")),
    ):
        write_to_store(job_for(given, **options), place)
        written = stored_contents(place)
        pd.testing.assert_frame_equal(without_seconds(written.pop("predictions.csv")), table)
        assert written == pictures
        assert list(place.files(".finished")) == [".finished/all.jsonl"]


class Killed(BaseException):
    pass


class DiesAfter(Darkness):
    """A model that is killed in its nth batch."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def predict_on_batch(self, photos):
        if self.left == 0:
            raise Killed
        self.left -= 1
        return super().predict_on_batch(photos)


def test_a_killed_run_is_resumed_and_no_chunk_is_done_twice(
    source: ObjectStore, target: ObjectStore
) -> None:
    given = stored_photos(source)
    with pytest.raises(Killed):
        write_to_store(job_for(given, DiesAfter(20)), target)  # In the third of five chunks.
    assert not target.exists("predictions.csv")
    chunks = target.files(".finished/all")
    assert 1 <= len(chunks) <= 2
    finished = len(target.files("masks"))
    assert finished == 16 * len(chunks)

    resumed = Darkness()
    records = write_to_store(job_for(given, resumed), target)
    assert sum(len(batch) for batch in resumed.batches) == NUMBER - finished
    assert len(records) == NUMBER + 1
    assert len(target.files("masks")) == NUMBER
    assert list(target.files(".finished")) == [".finished/all.jsonl"]

    again = Darkness()
    write_to_store(job_for(given, again), target)
    assert again.batches == []


def test_what_changed_or_is_missing_is_predicted_again(
    source: ObjectStore, target: ObjectStore
) -> None:
    write_to_store(job_for(stored_photos(source)), target)
    source.write("000.png", source.read("005.png"))
    target.remove(["masks/002.png"])
    model = Darkness()
    write_to_store(job_for(stored_photos(source), model), target)
    assert sum(len(batch) for batch in model.batches) == 2
    assert target.read("masks/000.png") == target.read("masks/005.png")
    model = Darkness()
    write_to_store(job_for(stored_photos(source), model), target)
    assert model.batches == []


def test_predictions_of_another_model_are_refused(source: ObjectStore, target: ObjectStore) -> None:
    with pytest.raises(Killed):
        write_to_store(job_for(stored_photos(source), DiesAfter(0)), target)
    with pytest.raises(UserError, match=r"memory://bucket/out holds predictions of another model"):
        write_to_store(job_for(stored_photos(source), threshold=0.4), target)


def test_a_damaged_journal_is_named(source: ObjectStore, target: ObjectStore) -> None:
    target.write(".finished/all/x.jsonl", b"\0\0\0")
    with pytest.raises(UserError, match=r"memory://bucket/out/\.finished/all/x\.jsonl is damaged"):
        write_to_store(job_for(stored_photos(source)), target)


def test_cut_outs_of_other_options_are_made_again(source: ObjectStore, target: ObjectStore) -> None:
    given = stored_photos(source)
    job = job_for(given, outputs=("masks", "cut_outs"))
    write_to_store(job, target)
    plain = target.read("cut_outs/002.png")
    write_to_store(replace(job, shadow=True), target)
    assert target.read("cut_outs/002.png") != plain
    write_to_store(job, target)
    assert target.read("cut_outs/002.png") == plain


def test_parts_share_the_photos_and_the_last_joins_the_tables(
    source: ObjectStore, target: ObjectStore, tmp_path: Path
) -> None:
    given = stored_photos(source)
    models = [Darkness(), Darkness()]
    for number, model in enumerate(models, 1):
        assert not target.exists("predictions.csv")
        write_to_store(job_for(given, model, shard=Shard(number, 2)), target)
    counts = [sum(len(batch) for batch in model.batches) for model in models]
    assert sum(counts) == NUMBER and min(counts) > 20
    job_for(given).write(tmp_path / "whole")
    whole = without_seconds((tmp_path / "whole/predictions.csv").read_bytes())
    joined = without_seconds(target.read("predictions.csv"))
    pd.testing.assert_frame_equal(joined, whole)
    model = Darkness()
    write_to_store(job_for(given, model), target)
    assert model.batches == []
    assert list(target.files(".finished")) == [".finished/all.jsonl"]


def test_a_store_that_fails_in_the_middle_ends_in_a_sentence_and_is_resumed(
    source: ObjectStore, target: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, write, left = stored_photos(source), ObjectStore.write, 20

    def fails(self: ObjectStore, name: str, content: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            with store_errors(self.address_of(name)):
                raise ConnectionError("the network is down")
        write(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "write", fails)
        with pytest.raises(UserError, match=r"memory://bucket/out/\S+ cannot be reached .*again"):
            write_to_store(job_for(given), target)
    model = Darkness()
    write_to_store(job_for(given, model), target)
    assert sum(len(batch) for batch in model.batches) == NUMBER - 16
    assert len(target.files("masks")) == NUMBER


def test_names_and_sizes_that_are_not_copied(bucket: str, tmp_path: Path) -> None:
    states = {"../out.jpg": (5, 1), "a//b.jpg": (5, 1), "c.jpg": (501_000_000, 1), "d.jpg": (5, 1)}
    found = sort_out_photos(StoredPhotos(ObjectStore.at(bucket), states))
    assert found.usable == (Path("d.jpg"),)
    assert [why.split(" (")[0] for _, why in found.rejected] == [
        "has a name that is not a path in a folder: rename it",
        "has a name that is not a path in a folder: rename it",
        "is too large: 501 megabytes",
    ]


def test_a_photo_that_is_gone_meanwhile_gets_a_row(
    source: ObjectStore, target: ObjectStore
) -> None:
    given = stored_photos(source)
    source.remove(["003.png"])
    records = write_to_store(job_for(given), target)
    gone = next(record for record in records if record.photo == "003.png")
    assert gone.height is None and "cannot be read" in gone.warnings


def test_one_photo_and_predictions_inside_the_photos(source: ObjectStore) -> None:
    single = StoredPhotos.at(ObjectStore.at(source.address_of("deep/001.png")))
    assert sort_out_photos(single).usable == (Path("001.png"),)
    source.write("out/masks/000.png", b"")
    found = StoredPhotos.at(source)
    assert set(found.states) - set(found.outside(f"{source}/out/").states) == {"out/masks/000.png"}
    with pytest.raises(UserError, match="a folder of their own"):
        found.outside(f"{source}/")


def test_copies_are_few_and_go(source: ObjectStore, tmp_path: Path) -> None:
    given = stored_photos(source)
    fetched = fetch(given, str(tmp_path), given.usable[:3])
    assert [path.is_file() for path in fetched.files] == 3 * [True]
    fetched.discard()
    assert list(tmp_path.iterdir()) == []


def test_of_a_photo_in_two_objects_the_record_of_its_content_counts(target: ObjectStore) -> None:
    journal = StoreJournal(target, {"model": "a"})
    old = PhotoRecord("a.jpg", 1, 1, 0.5, 0.1, 0.9, "old")
    for photos, record, state in (
        (["a.jpg", "b.jpg"], old, (1, 1)),
        (["a.jpg"], replace(old, warnings="new"), (1, 2)),
        (["a.jpg", "c.jpg"], old, (1, 3)),
    ):
        records = dict.fromkeys(photos, PhotoRecord("x")) | {"a.jpg": record}
        journal.chunks.write(records, dict.fromkeys(photos, state))
    for _ in range(2):
        journal = StoreJournal(target, {"model": "a"})
        found = journal.finished("a.jpg", (1, 2))
        assert found is not None and found.warnings == "new"
        journal.compact()
    assert list(target.files(".finished")) == [".finished/all.jsonl"]
