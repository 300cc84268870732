"""Base class and types of the groups of parameters."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
Pixels = Annotated[int, Field(ge=16, le=8192)]


class Parameters(BaseModel):
    """A group of parameters: unknown names are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def flatten(groups: Mapping[str, Any]) -> dict[str, Any]:
    """Groups of parameters by dotted name.

    Example:
        >>> flatten({"seed": 42, "split": {"fractions": {"train": 0.7}, "fold": 0}})
        {'seed': 42, 'split.fractions.train': 0.7, 'split.fold': 0}
    """
    flat: dict[str, Any] = {}
    for name, value in groups.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": leaf for inner, leaf in flatten(value).items()}
        else:
            flat[name] = value
    return flat
