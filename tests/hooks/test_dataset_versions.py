"""What Kedro would ignore about versions, or fail with later, is one sentence at once."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.io import AbstractDataset, AbstractVersionedDataset

from car_segmentation.core.errors import UserError
from car_segmentation.hooks.dataset_versions import FILES, OWN, check_versions
from tests.support.projects import REPOSITORY, Project

LOGGED = "kedro_mlflow.io.artifacts.MlflowArtifactDataset"
VERSION = "2026-01-01T00.00.00.000Z"
TABLE = {"type": f"{OWN}tables.TableDataset", "filepath": "/data/scores.csv"}
MODULES = ("folders", "image_stack", "json_files", "keras_model", "models", "pictures", "plots")
MODULES += ("prediction_folder", "tables")


def test_the_types_that_can_be_versioned_are_those_of_one_file() -> None:
    own = {
        dataset
        for module in MODULES
        for dataset in vars(import_module(f"{OWN}{module}")).values()
        if inspect.isclass(dataset)
        and issubclass(dataset, AbstractDataset)
        and dataset.__module__ == f"{OWN}{module}"
    }
    versioned = {
        dataset.__name__ for dataset in own if issubclass(dataset, AbstractVersionedDataset)
    }
    assert versioned == set(FILES)
    for dataset in own:
        entry = {"type": f"{dataset.__module__}.{dataset.__name__}", "versioned": True}
        entry["filepath"] = "/data/file"
        if dataset.__name__ in FILES:
            check_versions({"it": entry}, {})
        else:
            with pytest.raises(UserError, match=r"catalog: it cannot be versioned: .* is no file"):
                check_versions({"it": entry}, {})


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (TABLE, "the catalog keeps no versions of scores"),
        ({"type": LOGGED, "dataset": TABLE}, "the catalog keeps no versions of scores"),
        ({"type": LOGGED, "dataset": TABLE | {"versioned": True}}, "MLflow keeps that of each run"),
        ({"type": LOGGED, "dataset": TABLE, "versioned": True}, "MLflow keeps that of each run"),
        (TABLE | {"versioned": True}, r"/data/scores.csv has no such version\. There are none"),
        ({"type": "json.JSONDataset", "filepath": "s.json"}, "the catalog keeps no versions"),
        ({"type": "MemoryDataset"}, "the catalog keeps no versions"),
    ],
)
def test_a_version_that_cannot_be_loaded(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_versions({"scores": entry}, {"scores": VERSION})


def test_what_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    entry = TABLE | {"filepath": str(path)}
    path.write_text("a\n1\n")
    check_versions({"scores": entry}, {})
    with pytest.raises(UserError, match=r"scores is versioned, and .*scores.csv is from before"):
        check_versions({"scores": entry | {"versioned": True}}, {})
    path.unlink()
    (path / VERSION).mkdir(parents=True)
    (path / VERSION / "scores.csv").write_text("a\n1\n")
    check_versions({"scores": entry | {"versioned": True}}, {"scores": VERSION})
    with pytest.raises(UserError, match=rf"no such version\. There are: {VERSION}"):
        check_versions({"scores": entry | {"versioned": True}}, {"scores": "2025"})
    with pytest.raises(UserError, match=r"scores is not versioned, and .* has versions of it"):
        check_versions({"scores": entry}, {})


@pytest.mark.slow
def test_a_run_makes_and_loads_versions(project: Project) -> None:
    """The splits are made twice, in two ways; a training takes the first."""
    base = yaml.safe_load((REPOSITORY / "conf/base/catalog.yml").read_text())
    entry = base["photo_splits"] | {"versioned": True}
    (project.path / "conf/tiny/catalog.yml").write_text(yaml.safe_dump({"photo_splits": entry}))
    splits = project.results / "05_model_input/photo_splits.csv"
    says = project.fail("--pipelines=data_processing")
    assert "photo_splits is versioned, and" in says and "is from before it was" in says
    splits.unlink()
    for seed in (1, 2):
        project.succeed("--pipelines=data_processing", f"--params=seed={seed}")
    first, second = sorted(path.parent.name for path in splits.glob("*/photo_splits.csv"))
    modelling = ("--pipelines=modelling", "--params=seed=1")
    says = project.fail(*modelling)
    assert "`photo_splits` in data/tiny was made with split.seed = 2 (now 1)" in says
    project.succeed(*modelling, f"--load-versions=photo_splits:{first}")
    says = project.fail("--pipelines=modelling", f"--load-versions=photos:{second}")
    assert f"--load-versions=photos:{second}: the catalog keeps no versions of photos" in says
    says = project.fail("--pipelines=modelling", f"--load-versions=nosuch:{second}")
    assert "Error: 'load_versions' keys [nosuch] are not found" in says
