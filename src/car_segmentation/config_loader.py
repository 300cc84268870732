"""How Kedro's configuration is read."""

from typing import Any, cast

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf


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
