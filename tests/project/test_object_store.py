"""The project with an S3 API on loopback."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import yaml

from car_segmentation.core.object_store import ObjectStore
from tests.support.photos import contents, write_discs
from tests.support.projects import Project
from tests.support.stores import s3_server, stored_contents, upload

pytest.importorskip("moto", reason="moto is not installed: pip install 'moto[server]'")
pytest.importorskip(
    "s3fs", reason="the extra `stores` is not installed: pip install -e '.[stores]'"
)

pytestmark = pytest.mark.slow  # A server, and runs of the project.

NUMBER = 130


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(server: str, tmp_path: Path) -> ObjectStore:
    """A bucket of its own."""
    import s3fs

    name = f"b{abs(hash(str(tmp_path)))}"
    s3fs.S3FileSystem().mkdir(name)
    return ObjectStore.at(f"s3://{name}")


def inside(bucket: ObjectStore, folder: str) -> ObjectStore:
    return ObjectStore.at(bucket.address_of(folder))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs") / "photos"
    write_discs(folder, NUMBER)
    (folder / "broken.jpg").write_bytes((folder / "000.png").read_bytes()[:-300])
    return folder


def made(project: Project) -> dict[str, bytes]:
    """What data_processing makes of photos and masks, without paths."""
    folders = ("02_intermediate/soft_masks", "05_model_input")
    return {
        f"{folder}/{name}": content
        for folder in folders
        for name, content in contents(project.results / folder).items()
        if name.endswith(".npy")
    }


def test_data_processing_from_a_bucket(project: Project, bucket: ObjectStore) -> None:
    project.succeed("--pipelines=data_processing")
    expected = made(project)
    assert expected
    raw = inside(bucket, "discs")
    upload(project.raw, raw)
    raw.write("other/of nobody.jpg", b"not copied")
    run = ("--pipelines=data_processing", f"--params=raw_data={raw}")
    number = len(contents(project.raw))
    assert f"{number} of {number} files were copied" in project.succeed(*run)
    copy = project.path / "data/01_raw/s3" / bucket.address.removeprefix("s3://") / "discs"
    assert contents(copy) == contents(project.raw)
    assert made(project) == expected
    assert "s3:" not in project.read("02_intermediate/photo_pairs.csv")

    (copy / "corrections").mkdir()
    (copy / "corrections/notes.txt").write_bytes(b"mine")
    (copy / "train_masks/removed_mask.gif").write_bytes(b"")
    name = "train/000000000000_01.jpg"
    raw.write(name, raw.read("train/000000000000_02.jpg"))
    raw.remove(["train/no partner.jpg"])
    assert f"1 of {number - 1} files were copied" in project.succeed(*run)
    assert (copy / name).read_bytes() == raw.read("train/000000000000_02.jpg")
    assert (copy / "corrections/notes.txt").exists()
    assert not (copy / "train_masks/removed_mask.gif").exists()
    assert not (copy / "train/no partner.jpg").exists()
    assert not list(project.path.glob("s3:*"))


def test_each_failure_is_one_sentence(
    project: Project, bucket: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = project.fail("--pipelines=data_processing", "--params=raw_data=s3://nosuchbucket/raw")
    assert "There is no s3://nosuchbucket/raw" in console
    out = f"predictions={bucket}/out"
    console = project.fail("--pipelines=inference", f"--params=photos=s3://nosuchbucket/in,{out}")
    assert "There is no s3://nosuchbucket/in" in console
    console = project.fail("--pipelines=inference", f"--params=photos={bucket}/in,{out}")
    assert f"There are no photos in {bucket}/in" in console
    console = project.fail(
        "--pipelines=inference", f"--params=model={bucket}/m.keras,photos={project.raw},{out}"
    )
    assert f"There is no {bucket}/" in console
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    console = project.fail("--pipelines=inference", f"--params=photos={bucket}/in,{out}")
    assert f"{bucket}/in cannot be reached" in console and "AWS_ENDPOINT_URL" in console
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    console = project.fail("--pipelines=inference", f"--params=photos={bucket}/in,{out}")
    assert f"{bucket}/in refuses access" in console and "credentials.yml" in console


def masks(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in contents.items() if name.startswith("masks/")}


def test_inference_from_bucket_to_bucket_with_a_model_in_it_killed_and_resumed(
    project: Project, bucket: ObjectStore, photos: Path, tmp_path: Path
) -> None:
    project.predict(photos, tmp_path / "local")
    expected = contents(tmp_path / "local")
    assert len(masks(expected)) == NUMBER
    source, target = inside(bucket, "in"), inside(bucket, "out")
    upload(photos, source)
    for name in ("model.keras", "threshold.json"):
        content = (project.results / "06_models" / name).read_bytes()
        inside(bucket, "models").write(name, content)
    parameters = f"--params=photos={source},predictions={target},model={bucket}/models/model.keras"
    project.kill(
        "--pipelines=inference", parameters, when=lambda: len(target.files(".finished/all")) > 1
    )
    assert not target.exists("predictions.csv")
    before = target.files("masks").items()
    console = project.succeed("--pipelines=inference", parameters)
    assert "photos are finished" in console
    found = stored_contents(target)
    assert masks(found) == masks(expected)
    kept = set(target.files("masks").items()) & set(before)
    assert len(kept) >= 32  # Whole chunks were not written again.
    assert list(target.files(".finished")) == [".finished/all.jsonl"]
    table = pd.read_csv(tmp_path / "local/predictions.csv").drop(columns="seconds")
    with target.local("predictions.csv") as copy:
        pd.testing.assert_frame_equal(pd.read_csv(copy).drop(columns="seconds"), table)
    assert not list(project.path.glob("s3:*"))


def test_two_workers_share_nothing_but_the_bucket_and_one_is_killed(
    project: Project, bucket: ObjectStore, photos: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    project.predict(photos, tmp_path / "local")
    source, target = inside(bucket, "in"), inside(bucket, "out")
    upload(photos, source)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        ThreadPoolExecutor(1) as pool,
    ):
        run = pool.submit(project.predict, source, target, f"cluster={cluster.scheduler_address}")
        while len(target.files(".finished/all")) == 0:
            assert not run.done(), run.result()
            time.sleep(0.05)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        assert f"{NUMBER} masks are in {target}/masks" in run.result()
    found = stored_contents(target)
    assert masks(found) == masks(contents(tmp_path / "local"))
    with target.local("predictions.csv") as copy:
        rows = pd.read_csv(copy)["photo"].tolist()
    assert rows == sorted(path.name for path in photos.iterdir())
    assert list(target.files(".finished")) == [".finished/all.jsonl"]
    assert target.glob(".*.keras") == []


def test_an_environment_whose_datasets_are_in_a_bucket(
    project: Project, bucket: ObjectStore
) -> None:
    catalog = yaml.safe_load((project.path / "conf/base/catalog.yml").read_text())
    own = {
        "photo_pairs": "pairs.csv",
        "network": "network.keras",
        "model": "model.keras",
        "history": "history.json",
        "threshold": "threshold.json",
    }
    entries = {name: catalog[name] | {"filepath": f"{bucket}/{own[name]}"} for name in own}
    entries["photo_pairs"] |= {"text": catalog["_photo_text"], "project": str(project.path)}
    (project.path / "conf/tiny/catalog.yml").write_text(yaml.safe_dump(entries))
    project.succeed("--pipelines=data_processing,modelling")
    assert sorted(bucket.files()) == sorted(own.values())
    model = f"model={bucket}/model.keras"
    project.predict(project.raw / "train", inside(bucket, "out"), model)
    assert len(inside(bucket, "out").files("masks")) == 13
    assert not list(project.path.glob("s3:*"))
