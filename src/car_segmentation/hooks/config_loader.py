"""Read ``conf/``: an environment names what differs, and keeps its own results."""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project
from omegaconf import OmegaConf

from car_segmentation.experiments.tracking_server import artifact_location, tracking_uri
from car_segmentation.parameters.merge import merge_parameters

RESULTS = "data"
"""The folder for results, relative to the project."""
UNNAMED = (None, "base", "local")
"""Environments whose results are in that folder itself: what ``kedro run`` uses when none is named,
and a user's own settings."""


def environment_folder(environment: str | None) -> str:
    """Where the results of an environment are, relative to the project.

    Example:
        >>> environment_folder(None), environment_folder("demo")
        ('data', 'data/demo')
    """
    return RESULTS if environment in UNNAMED else f"{RESULTS}/{environment}"


class ProjectConfigLoader(OmegaConfigLoader):
    """Merges groups of parameters name by name: base, then the environment, then ``--params``.

    Kedro lets a group of an environment replace base's, so that each would have to repeat it.
    """

    project_path: Path | None = None
    """The folder that Kedro was started for; None: the project around the working directory."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read a kind of configuration, such as ``parameters`` or ``catalog``."""
        self._set_resolvers()
        if key == "catalog":
            parameters = self["parameters"]
            _let_stand("start_from", parameters.get("training", {}).get("start_from"))
            _let_stand("raw_data", parameters.get("raw_data"))  # A copy, where it is in a store.
        if key != "parameters" or key in self:
            return super().__getitem__(key)
        given = self.runtime_params or {}
        groups = {name: value for name, value in given.items() if isinstance(value, dict)}
        environment = self.env or self.default_run_env
        self.runtime_params = {name: given[name] for name in given.keys() - groups.keys()}
        try:
            parameters = self._only(self.base_env)
            if environment != self.base_env:
                parameters = merge_parameters(parameters, self._only(environment))
        finally:
            self.runtime_params = given
        return merge_parameters(parameters, groups, entire=())

    def _set_resolvers(self) -> None:
        """Say what stands for itself in ``conf/``: another session may have set it last."""
        project = self.project_path or find_kedro_project(Path.cwd()) or Path.cwd()
        values = {
            "data_folder": (self.runtime_params or {}).get(
                "data_folder", environment_folder(self.env)
            ),
            "project_path": str(project),
            "tracking_uri": tracking_uri(project),
            "artifact_location": artifact_location(project),
        }
        for name, value in values.items():
            _let_stand(name, value)

    def _only(self, environment: str) -> dict[str, Any]:
        """The parameters in the files of one environment."""
        base_env, env = self.base_env, self.env
        self.base_env = self.env = environment
        try:
            parameters: dict[str, Any] = super().__getitem__("parameters")
            return parameters
        finally:
            self.base_env, self.env = base_env, env


def _let_stand(name: str, value: str | None) -> None:
    """Let ``${name:}`` stand for a value in ``conf/``."""
    OmegaConf.register_new_resolver(name, lambda: value, replace=True)
