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

from car_segmentation.hooks import project_hooks  # noqa: E402  Its imports are not silent.
from car_segmentation.hooks.config_loader import ProjectConfigLoader  # noqa: E402
from car_segmentation.hooks.user_errors import ProjectSession  # noqa: E402
from car_segmentation.training.devices import process_number  # noqa: E402

logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # It sets itself to INFO.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # It raises what it logs.
# Said after every mistake found before the first result, which says itself what to do.
logging.getLogger("kedro.runner.sequential_runner").addFilter(
    lambda record: "No nodes ran" not in str(record.msg)
)


HOOKS = project_hooks()
SESSION_CLASS = ProjectSession
# Of processes that train together, the first logs for all.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",) if process_number() > 0 else ()

CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
}
