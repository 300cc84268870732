"""Project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/."""

import logging
from pathlib import Path

import yaml
from kedro.framework.project import LOGGING

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LOGGING_FILE = PROJECT_ROOT / "conf" / "logging.yml"

# Kedro finds it by itself from the project's root alone, not from a folder inside.
if LOGGING_FILE.is_file():
    LOGGING.configure(yaml.safe_load(LOGGING_FILE.read_text()))

from car_segmentation.config_loader import ProjectConfigLoader  # noqa: E402
from car_segmentation.hooks import ProjectHooks  # noqa: E402  Its imports are not silent.
from car_segmentation.tracking import artifact_location, tracking_uri  # noqa: E402

logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # It sets itself to INFO.

HOOKS = (ProjectHooks(),)

CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {
        "tracking_uri": lambda: tracking_uri(PROJECT_ROOT),
        "artifact_location": lambda: artifact_location(PROJECT_ROOT),
    },
}
