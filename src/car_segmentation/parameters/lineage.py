"""Which parameters made the data that a run finds, and whether the run has the same.

A record says so of one result: for each pipeline that took part in it, the parameters that it had,
by dotted name.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from car_segmentation.parameters.group import flatten
from car_segmentation.parameters.messages import RENAMED
from car_segmentation.parameters.training import SAME_WEIGHTS

Record = Mapping[str, Mapping[str, Any]]
"""Parameters by pipeline and dotted name."""

WITHOUT_EFFECT = (
    # Words, places and machines.
    *("cluster", "data_folder", "subject"),
    *(f"training.{name}" for name in SAME_WEIGHTS),
    # What is looked at, and not what is found.
    *("augmentation.min_in_frame", "registry"),
    *("prediction.backend", "prediction.batch_size", "prediction.precision"),
    *("reporting.label_errors", "reporting.random_photos", "reporting.worst_photos"),
)
"""Groups and parameters that change no result, or only its rounding."""
FREE = ("network",)
"""The group whose options are not all listed in ``conf/base``: one more is a difference."""


@dataclass(frozen=True)
class Difference:
    """A parameter that a run has and what it finds was made without.

    Attributes:
        name: Dotted.
        made_with: Its value then; None also where it was not set.
        now: Its value in this run; likewise.
        pipelines: The pipelines that used it, and are to be run again.
    """

    name: str
    made_with: Any
    now: Any
    pipelines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} = {_text(self.made_with)} (now {_text(self.now)})"


def effective(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by dotted name, as JSON keeps them, with what stands for others filled in.

    Example:
        >>> effective({"seed": 42, "split": {"seed": None}})
        {'seed': 42, 'split.seed': 42}
    """
    flat: dict[str, Any] = json.loads(json.dumps(flatten(parameters)))
    if flat.get("split.seed", ...) is None:
        flat["split.seed"] = flat["seed"]
    return flat


def of_groups(groups: Iterable[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of some groups.

    Args:
        groups: Names of groups, or of single parameters.
        parameters: By dotted name.
    """
    groups = tuple(groups)
    return {name: value for name, value in parameters.items() if _is_of(name, groups)}


def used(groups: Iterable[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that matter for a result, of those that a step takes.

    Args:
        groups: Names that the step takes, of groups or of single parameters.
        parameters: From `effective`.

    Example:
        >>> used(["seed", "training"], {"seed": 1, "training.epochs": 2, "training.resume": True})
        {'seed': 1, 'training.epochs': 2}
    """
    names = set(groups)
    if "split" in names:  # It has a seed of its own.
        names.discard("seed")
    return {
        name: value
        for name, value in of_groups(names, parameters).items()
        if not _is_of(name, WITHOUT_EFFECT)
    }


def join(records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """The record of what is made from several things."""
    joined: dict[str, dict[str, Any]] = {}
    for record in records:
        for pipeline, values in record.items():
            joined.setdefault(pipeline, {}).update(values)
    return joined


def differences(record: Record, parameters: Mapping[str, Any]) -> list[Difference]:
    """Parameters that differ from those of the run that made a result.

    Args:
        record: Of the result.
        parameters: Of the run, from `effective`.
    """
    found: dict[str, Difference] = {}
    for pipeline, recorded in record.items():
        made_with = {RENAMED.get(name, name): value for name, value in recorded.items()}
        has_free = any(_is_of(name, FREE) for name in made_with)
        added = {
            name: None
            for name in parameters
            if has_free and _is_of(name, FREE) and name not in made_with
        }
        for name, value in (made_with | added).items():
            now = parameters.get(name)
            if now != value:
                pipelines = (*found[name].pipelines, pipeline) if name in found else (pipeline,)
                found[name] = Difference(name, value, now, pipelines)
    return list(found.values())


def _is_of(name: str, groups: Iterable[str]) -> bool:
    return any(name == group or name.startswith(f"{group}.") for group in groups)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
