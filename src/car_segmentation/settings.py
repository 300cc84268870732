"""Project settings: https://docs.kedro.org/en/stable/configure/configuration_basics/."""

import logging
from pathlib import Path

from car_segmentation.config_loader import ProjectConfigLoader
from car_segmentation.hooks import ProjectHooks
from car_segmentation.tracking import artifact_location, tracking_uri

PROJECT_ROOT = Path(__file__).resolve().parents[2]

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
