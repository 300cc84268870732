"""Which parameters a search varies, and how."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from car_segmentation.parameters.data import AugmentationRanges
from car_segmentation.parameters.group import Parameters
from car_segmentation.parameters.messages import current_name, problem_text
from car_segmentation.parameters.training import Network, Training


class SearchRange(Parameters):
    """Candidate values of one searched parameter: a range, or choices."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: PositiveInt | PositiveFloat | None = None
    choices: Annotated[tuple[Any, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_a_range_or_choices(self) -> Self:
        if self.choices is not None:
            if self.model_fields_set != {"choices"}:
                raise ValueError("choices stand alone")
            return self
        if self.low is None or self.high is None:
            raise ValueError("give choices, or low and high")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) is not below high ({self.high:g})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a logarithmic range begins above 0 and has no step")
        if self.whole and isinstance(self.step, float):
            raise ValueError(f"steps of {self.step:g} do not stay on whole numbers: low is one")
        return self

    @property
    def whole(self) -> bool:
        """True for a range of integers: both its ends are written as such."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def samples(self) -> tuple[Any, ...]:
        """All choices; or the ends of a range, and what lies between them."""
        if self.choices is not None:
            return self.choices
        assert self.low is not None
        assert self.high is not None
        if self.whole:
            return self.low, self.high
        between = self.low + (self.step or 0.37 * (self.high - self.low))
        return float(self.low), float(between), float(self.high)


class Search(Parameters):
    """Which parameters are searched, and what that may cost."""

    trials: PositiveInt
    minutes: PositiveFloat | None = None
    timed_steps: PositiveInt = 2
    pruner: Literal["median", "hyperband"] | None = "median"
    startup_trials: NonNegativeInt = 5
    warmup_epochs: PositiveInt = 1
    space: Annotated[dict[str, SearchRange], Field(min_length=1)]


SEARCHED_GROUPS: dict[str, type[BaseModel]] = {
    "augmentation": AugmentationRanges,
    "network": Network,
    "training": Training,
}
"""Groups that a search may vary: those that training reads, and `data_processing` does not."""


def with_values(
    groups: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Groups of parameters with other values.

    Args:
        groups: By name.
        values: By dotted name; by the group's name, for all of a group.
    """
    changed = {name: dict(group) for name, group in groups.items()}
    for name, value in values.items():
        group, _, parameter = name.partition(".")
        changed[group] = changed[group] | {parameter: value} if parameter else dict(value)
    return changed


def space_problems(
    space: Mapping[str, SearchRange], groups: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Problems of a search space; options of networks are not checked.

    Args:
        space: By dotted name.
        groups: Parameters of `SEARCHED_GROUPS`, which a trial changes some of.
    """
    problems = []
    for name, searched in space.items():
        group, _, parameter = name.partition(".")
        model = SEARCHED_GROUPS.get(group)
        new_name = current_name(name)
        if new_name is not None:
            problems.append(f"search.space: {name}: is called {new_name} now")
        elif model is None:
            problems.append(
                f"search.space: {name} cannot be searched, only what begins with "
                f"{', '.join(SEARCHED_GROUPS)}"
            )
        elif group == "network":
            problems += _network_problems(name, searched, space)
        elif parameter not in model.model_fields or name == "augmentation.min_in_frame":
            problems.append(f"search.space: {name}: unknown parameter")
        else:
            problems += _sample_problems(name, searched, model, groups)
    return problems


def _network_problems(
    name: str, searched: SearchRange, space: Mapping[str, SearchRange]
) -> Iterator[str]:
    if name != "network":
        if "network" in space:
            yield f"search.space: {name}: network as a whole is searched already"
    elif not all(isinstance(c, dict) and "architecture" in c for c in searched.choices or [None]):
        yield "search.space: network: takes choices, each of them a group with an architecture"


def _sample_problems(
    name: str,
    searched: SearchRange,
    model: type[BaseModel],
    groups: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    group = name.partition(".")[0]
    for value in searched.samples():
        try:
            model.model_validate(with_values(groups, {name: value})[group])
        except ValidationError as error:
            for details in error.errors():
                yield f"search.space: {group}.{problem_text(details, group)}"
            return  # The first is enough of each parameter.
