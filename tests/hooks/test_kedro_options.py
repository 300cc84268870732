"""Options of `kedro run` that cannot be followed end in a sentence; a packed conf/ works."""

import shutil
import tarfile

import pytest

from tests.support.projects import Project


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--runner=ParallelRunner", "ParallelRunner cannot pass this project's datasets"),
        ("--tags=nosuch", "Pipeline contains no nodes after applying all provided filters"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(empty_project: Project, option: str, says: str) -> None:
    assert f"Error: {says}" in empty_project.fail(option)


def test_a_packed_configuration_is_read(empty_project: Project) -> None:
    with tarfile.open(empty_project.path / "conf.tar.gz", "w:gz") as archive:
        archive.add(empty_project.path / "conf", "conf")
    shutil.rmtree(empty_project.path / "conf" / "tiny")  # That it is not read beside the archive.
    parameters = "--params=demo_photos.cars=1,demo_photos.height=64,demo_photos.width=96"
    empty_project.succeed("--conf-source=conf.tar.gz", "--pipelines=demo_photos", parameters)
    assert list(empty_project.path.glob("data/01_raw/demo/train/*.jpg"))
