"""How conf/ is read, in a folder with two environments."""

from pathlib import Path

import pytest
import yaml

from car_segmentation.hooks.config_loader import ProjectConfigLoader
from car_segmentation.parameters import flatten

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = ("cpu", "demo", "gpu", "networks", "products")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    files = {
        "base/parameters.yml": {
            "data_folder": "${data_folder:}",
            "training": {"epochs": 30, "loss": "dice"},
        },
        "base/globals.yml": {"model": "${data_folder:}/06_models/model.keras"},
        "base/catalog.yml": {
            "report": {"type": "text.TextDataset", "filepath": "${data_folder:}/report.html"}
        },
        "tiny/parameters.yml": {"training": {"epochs": 2}},
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content))
    (tmp_path / "local").mkdir()
    return tmp_path


def loader(conf: Path, env: str | None = None, **given) -> ProjectConfigLoader:
    return ProjectConfigLoader(
        str(conf), env=env, runtime_params=given, base_env="base", default_run_env="local"
    )


@pytest.mark.parametrize(
    ("env", "given", "folder"),
    [
        (None, {}, "data"),
        ("base", {}, "data"),
        ("local", {}, "data"),
        ("tiny", {}, "data/tiny"),
        ("tiny", {"data_folder": "/scratch/tries"}, "/scratch/tries"),
    ],
)
def test_each_environment_has_its_own_results(conf: Path, env, given, folder: str) -> None:
    read = loader(conf, env, **given)
    assert read["parameters"]["data_folder"] == folder
    assert read["catalog"]["report"]["filepath"] == f"{folder}/report.html"
    assert read["globals"]["model"] == f"{folder}/06_models/model.keras"


def test_a_session_is_not_disturbed_by_a_later_one(conf: Path) -> None:
    first, second = loader(conf, "tiny"), loader(conf)
    assert second["catalog"]["report"]["filepath"] == "data/report.html"
    assert first["catalog"]["report"]["filepath"] == "data/tiny/report.html"


def test_base_then_the_environment_then_the_run(conf: Path) -> None:
    assert loader(conf)["parameters"]["training"] == {"epochs": 30, "loss": "dice"}
    assert loader(conf, "tiny")["parameters"]["training"] == {"epochs": 2, "loss": "dice"}
    changed = loader(conf, "tiny", training={"loss": "lovasz"})["parameters"]["training"]
    assert changed == {"epochs": 2, "loss": "lovasz"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environments_repeat_nothing_of_base(environment: str) -> None:
    base = written("base")
    repeated = {
        name
        for name, value in written(environment).items()
        if base.get(name, ...) == value and not name.startswith(("search.", "network_comparison."))
    }
    # Whoever copies conf/products wants to see this one.
    assert repeated <= {"pairing.max_cars"}


def written(environment: str) -> dict:
    files = (REPOSITORY / "conf" / environment).glob("parameters*.yml")
    values = [flatten(yaml.safe_load(file.read_text()) or {}) for file in files]
    assert values
    return {name: value for part in values for name, value in part.items()}
