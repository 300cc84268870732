"""The project with an S3 API on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

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
