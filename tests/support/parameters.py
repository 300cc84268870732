"""The project's own parameters."""

from typing import Any

from car_segmentation.settings import ProjectConfigLoader
from tests.support.projects import REPOSITORY


def parameters(env: str = "base", **runtime: Any) -> dict[str, Any]:
    """Those of an environment, with some given for one run."""
    loader = ProjectConfigLoader(
        str(REPOSITORY / "conf"),
        env=env,
        base_env="base",
        default_run_env="local",
        runtime_params=runtime,
    )
    return loader["parameters"]
