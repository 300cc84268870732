"""An address as `raw_data` is replaced by a copy, and only pipelines that read it make one."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click import ClickException
from kedro.pipeline import Node, Pipeline

from car_segmentation.core.object_store import ObjectStore
from car_segmentation.hooks.raw_data_copy import RawDataCopy
from car_segmentation.hooks.session import Session
from car_segmentation.settings import CONFIG_LOADER_ARGS, ProjectConfigLoader
from tests.support.photos import contents
from tests.support.projects import REPOSITORY
from tests.support.stores import memory_bucket

COPY = "data/01_raw/memory/bucket/shop"


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    with memory_bucket() as bucket:
        found = ObjectStore.at(f"{bucket}/shop")
        for name in ("train/a.jpg", "train/deep/b.jpg", "metadata.csv", "other/c.jpg"):
            found.write(name, name.encode())
        for name in ("train_masks/a_mask.gif", "notes/boxes.json", "labels.json"):
            found.write(name, name.encode())
        yield found


def reads(*names: str) -> Pipeline:
    return Pipeline([Node(lambda *_: 1, list(names), "out", name="node")])


def begin(project: Path, **given: object) -> tuple[RawDataCopy, Session, ProjectConfigLoader]:
    loader = ProjectConfigLoader(
        str(REPOSITORY / "conf"), env="local", runtime_params=given, **CONFIG_LOADER_ARGS
    )
    context = SimpleNamespace(config_loader=loader, env="local", project_path=project)
    session = Session()
    session.begin(context)  # type: ignore[arg-type]
    hook = RawDataCopy(session)
    hook.after_context_created(context)  # type: ignore[arg-type]
    return hook, session, loader


def test_photos_masks_and_what_goes_with_them_are_copied(
    store: ObjectStore, tmp_path: Path
) -> None:
    given = {"raw_data": f"{store}/", "annotations": "labels.json"}
    hook, session, loader = begin(tmp_path, **given)
    assert session.parameters.raw_data == COPY
    assert session.given_parameters == given
    catalog = loader["catalog"]
    assert catalog["photo_files"]["path"] == f"{COPY}/train"
    assert catalog["car_metadata"]["filepath"] == f"{COPY}/metadata.csv"
    hook.before_pipeline_run(reads("photo_table"))
    assert not (tmp_path / COPY).exists()
    hook.before_pipeline_run(reads("photo_files"))
    names = {"train/a.jpg", "train/deep/b.jpg", "metadata.csv"}
    names |= {"train_masks/a_mask.gif", "labels.json"}
    assert contents(tmp_path / COPY) == {name: name.encode() for name in names}


def test_a_folder_is_left_alone(tmp_path: Path) -> None:
    hook, session, _ = begin(tmp_path, raw_data="photos")
    assert session.parameters.raw_data == "photos"
    hook.before_pipeline_run(reads("photo_files"))
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(ClickException, match=r"raw_data = 's3://b/\.\./x' has no bucket, or is"):
        begin(tmp_path, raw_data="s3://b/../x")
