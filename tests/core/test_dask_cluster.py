"""Two worker processes on loopback, and what happens when one of them is killed."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from car_segmentation.core import dask_cluster as cluster_module
from car_segmentation.core.dask_cluster import Cluster, map_on_cluster, use_cluster
from car_segmentation.core.errors import UserError
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.masks import MaskRules
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from car_segmentation.prediction import folder_job as inference
from tests.support.folder_jobs import folder_job, table_of
from tests.support.models import Darkness
from tests.support.photos import contents, write_cars, write_discs

distributed = pytest.importorskip(
    "distributed", reason="the extra `cluster` is not installed: pip install -e '.[cluster]'"
)

pytestmark = pytest.mark.slow  # Dask starts processes.


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster with two worker processes, which are started again if they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as workers:
        yield workers.scheduler_address


@pytest.fixture
def on_cluster(scheduler: str) -> Iterator[Cluster]:
    """What is done with photos is done there."""
    cluster = Cluster(scheduler)
    use_cluster(cluster)
    yield cluster
    use_cluster(None)


class SlowDarkness(Darkness):
    """Takes its time, and leaves a note of each batch with the process that predicted it."""

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self.notes = notes

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        with (self.notes / str(os.getpid())).open("a") as file:
            file.write("batch\n")
        time.sleep(0.02)
        return 1 - photos[..., 1:2].astype(np.float32) / 255


def _negative(chunk: list[int]) -> list[int]:
    return [-number for number in chunk]


def _deadly(chunk: list[int]) -> list[int]:
    if 3 in chunk:
        # What Dask says of a task after several workers have died of it; real deaths take a while.
        raise distributed.KilledWorker("photos", SimpleNamespace(address="tcp://dead"), 3)
    return _negative(chunk)


def _raise(item: object) -> int:
    raise AssertionError(item)


def test_results_come_in_order_from_other_processes(on_cluster: Cluster) -> None:
    results = map_photos(lambda number: (number, os.getpid()), range(70), 70, "count")
    assert [number for number, _ in results] == list(range(70))
    assert os.getpid() not in {pid for _, pid in results}


def test_threads_stay_here(on_cluster: Cluster) -> None:
    assert set(map_photos(lambda _: os.getpid(), range(3), 3, "count", "threads")) == {os.getpid()}


def test_chunks_are_taken_as_workers_get_free(on_cluster: Cluster) -> None:
    taken: list[list[int]] = []

    def chunks() -> Iterator[list[int]]:
        for number in range(40):
            taken.append([number])
            yield taken[-1]

    for done, _ in enumerate(map_on_cluster(on_cluster, _negative, chunks(), _raise)):
        # Those that were done, and two for each of the two threads.
        assert len(taken) <= done + 1 + 4 + 4
    assert len(taken) == 40


def test_an_item_that_kills_its_workers_is_found(scheduler: str) -> None:
    chunks = [[0, 1], [2, 3], [4, 5]]
    results: dict[int, int] = {}
    for chunk, values in map_on_cluster(Cluster(scheduler), _deadly, chunks, lambda item: item):
        results |= zip(chunk, values, strict=True)
    assert results == {0: 0, 1: -1, 2: -2, 3: 3, 4: -4, 5: -5}


def test_stacks_are_the_same(raw: Path, on_cluster: Cluster) -> None:
    write_cars(raw, cars=9, views=2)
    photos = [str(path) for path in sorted((raw / "train").iterdir())]
    masks = [str(path) for path in sorted((raw / "train_masks").iterdir())]
    Path(masks[4]).write_bytes(b"")
    for where, cluster in (("there", on_cluster), ("here", None)):
        use_cluster(cluster)
        write_resized_photos(raw / where / "photos", photos, photos, 24, 32)
        write_resized_masks(
            raw / where / "masks", photos, masks, 24, 32, MaskRules(max_megapixels=1)
        )
    assert contents(raw / "there") == contents(raw / "here")


def test_a_killed_worker_loses_no_photo(tmp_path: Path, on_cluster: Cluster) -> None:
    photos, notes = tmp_path / "photos", tmp_path / "notes"
    notes.mkdir()
    write_discs(photos, 160)
    (photos / "044.png").write_bytes(b"broken")
    model = SlowDarkness(notes)
    killed: list[int] = []
    append = inference.Journal.append

    def kill_one_when_some_are_finished(journal, path, record) -> None:
        append(journal, path, record)
        if not killed:
            killed.append(int(sorted(notes.iterdir())[0].name))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference.Journal, "append", kill_one_when_some_are_finished)
        folder_job(photos, model).write(tmp_path / "cluster")
    assert killed
    assert len(list(notes.iterdir())) >= 2
    assert str(os.getpid()) not in {note.name for note in notes.iterdir()}

    use_cluster(None)
    folder_job(photos, model).write(tmp_path / "threads")
    masks = [contents(tmp_path / where / "masks") for where in ("cluster", "threads")]
    assert len(masks[0]) == 159 and masks[0] == masks[1]
    tables = [table_of(tmp_path / where) for where in ("cluster", "threads")]
    assert len(tables[0]) == 160
    pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in tables))
    assert {path.name for path in (tmp_path / "cluster").iterdir()} - {".in_use"} == {
        *("masks", "predictions.csv", ".finished.jsonl")
    }
    # Either run takes up the other's folder.
    before = contents(tmp_path / "cluster")
    folder_job(photos, model).write(tmp_path / "cluster")
    assert contents(tmp_path / "cluster") == before


def test_workers_that_do_not_see_the_photos(scheduler: str) -> None:
    cluster = Cluster(scheduler, (Path("/nowhere/photos"),))
    with pytest.raises(UserError, match=r"does not see /nowhere/photos\. .*share"):
        list(map_on_cluster(cluster, _negative, [[1]], _raise))


def test_workers_without_a_package(on_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    work = FunctionType(_negative.__code__, module.__dict__, "work")
    work.__qualname__ = "work"  # Else it would travel by value.
    module.work = work  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"lack a package \(No module named 'only_here'\)"):
        list(map_on_cluster(on_cluster, module.work, [[1]], _raise))


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(cluster_module, "WORKERS_SECONDS", 0.2)
    with (
        distributed.LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as no_workers,
        pytest.raises(UserError, match=r"had no workers for .*dask worker tcp"),
    ):
        list(map_on_cluster(Cluster(no_workers.scheduler_address), _negative, [[1]], _raise))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://127.0.0.1:1"])
def test_a_scheduler_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(UserError, match=f"No Dask scheduler answers at {address}"):
        list(map_on_cluster(Cluster(address), _negative, [[1]], _raise))
