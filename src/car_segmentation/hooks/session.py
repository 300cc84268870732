"""State shared by the hooks of one run: its environment, folders and parameters."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click import ClickException
from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import use_options
from car_segmentation.hooks.config_loader import RESULTS, ProjectConfigLoader
from car_segmentation.parameters import ProjectParameters, check_parameters


@dataclass
class Session:
    """The Kedro session that is running, filled when its context is created.

    Attributes:
        environment: Name of the folder in ``conf/`` that is added to ``base``.
        project_path: The project's folder.
        data_folder: Where the environment keeps its results.
        parameters: All parameters, checked.
        written_parameters: The same as they are written in ``conf/``.
        given_parameters: Those that ``--params`` gave.
        effective_parameters: All by dotted name, see `lineage.effective`.
        used_parameters: Dotted names of those that this run's results depend on.
    """

    environment: str = "base"
    project_path: Path = field(default_factory=Path.cwd)
    data_folder: Path = field(default_factory=lambda: Path.cwd() / RESULTS)
    parameters: ProjectParameters = field(init=False)
    written_parameters: dict[str, Any] = field(default_factory=dict)
    given_parameters: dict[str, Any] = field(default_factory=dict)
    effective_parameters: dict[str, Any] = field(default_factory=dict)
    used_parameters: set[str] = field(default_factory=set)

    def begin(self, context: KedroContext) -> None:
        """Take everything from a new context.

        Raises:
            UserError: If the parameters cannot be used.
        """
        if isinstance(context.config_loader, ProjectConfigLoader):
            context.config_loader.project_path = Path(context.project_path)
        self.environment = context.env or "base"
        self.project_path = Path(context.project_path)
        # Not `context.params`, which keeps what it has read: see `hooks.start_model`.
        self.written_parameters = context.config_loader["parameters"]
        self.given_parameters = context.config_loader.runtime_params or {}
        self.parameters = check_parameters(self.written_parameters)
        self.data_folder = self.project_path / self.parameters.data_folder
        use_options(_store_options(context.config_loader))


def _store_options(config_loader: AbstractConfigLoader) -> dict[str, dict[str, Any]]:
    """Options of object stores by protocol, such as ``s3``: entries of credentials.yml."""
    try:
        credentials = config_loader["credentials"]
    except (KeyError, MissingConfigException):
        return {}
    return {name: dict(value) for name, value in credentials.items() if isinstance(value, Mapping)}


@contextmanager
def user_errors_as_click() -> Iterator[None]:
    """Turn an error that the user can fix into its one message, before any node runs."""
    try:
        yield
    except UserError as error:
        raise ClickException(str(error)) from None
