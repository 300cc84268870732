"""Project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/."""

import logging
from pathlib import Path
from typing import Any, cast

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import LOGGING
from omegaconf import OmegaConf

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LOGGING_FILE = PROJECT_ROOT / "conf" / "logging.yml"

# Kedro finds it by itself from the project's root alone, not from a folder inside.
if LOGGING_FILE.is_file():
    LOGGING.configure(yaml.safe_load(LOGGING_FILE.read_text()))

from car_segmentation.experiments.tracking import artifact_location, tracking_uri  # noqa: E402
from car_segmentation.hooks import project_hooks  # noqa: E402  Its imports are not silent.
from car_segmentation.training.devices import process_number  # noqa: E402

logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # It sets itself to INFO.
# Said after every mistake found before the first result, which says itself what to do.
logging.getLogger("kedro.runner.sequential_runner").addFilter(
    lambda record: "No nodes ran" not in str(record.msg)
)


class ProjectConfigLoader(OmegaConfigLoader):
    """Lets ``--params=group.name=value`` change one name of a group in every environment.

    Kedro adds such a value to the environment's files, whose groups replace those of base: a group
    that only base has would lose all its other names.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read a kind of configuration, such as ``parameters`` or ``catalog``."""
        if key != "parameters":
            return super().__getitem__(key)
        given = self.runtime_params
        groups = {name: value for name, value in given.items() if isinstance(value, dict)}
        self.runtime_params = {name: given[name] for name in given.keys() - groups.keys()}
        try:
            parameters = super().__getitem__(key)
        finally:
            self.runtime_params = given
        merged = OmegaConf.to_container(OmegaConf.merge(parameters, groups))
        return cast(dict[str, Any], merged)


HOOKS = project_hooks()
# Of processes that train together, the first logs for all.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",) if process_number() > 0 else ()

CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {
        "tracking_uri": lambda: tracking_uri(PROJECT_ROOT),
        "artifact_location": lambda: artifact_location(PROJECT_ROOT),
    },
}
