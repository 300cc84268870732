"""MLflow, exports, and comparisons of networks and of runs."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from car_segmentation.parameters.group import Parameters, Text
from car_segmentation.parameters.training import Network


class Registry(Parameters):
    """The models' name in MLflow's registry, and which version may become the champion."""

    name: Text
    register_models: bool
    candidate: PositiveInt | None


class Export(Parameters):
    """For which runtimes the model is exported."""

    formats: Annotated[tuple[Literal["onnx", "litert", "openvino"], ...], Field(min_length=1)]
    checked_photos: PositiveInt


class ComparisonCandidate(Parameters):
    """A network to compare with others, and what its training does differently."""

    network: Network
    training: dict[str, Any] = Field(default={})
    full_width: dict[str, Any] = Field(default={})


class NetworkComparison(Parameters):
    """Which networks are compared, and what each may cost."""

    minutes: PositiveFloat | None
    timed_steps: PositiveInt
    candidates: Annotated[dict[str, ComparisonCandidate], Field(min_length=1)]


def _run_as_text(run: Any) -> Any:
    """Kedro reads what looks like a number as one: the beginning of an id may."""
    if isinstance(run, float):
        raise ValueError("was read as a number with a fraction: give more of the run's id")
    return str(run) if isinstance(run, int) else run


RunName = Annotated[str, BeforeValidator(_run_as_text)]


class ComparedRuns(Parameters):
    """Which MLflow runs are compared: an id, its beginning, or a name."""

    before: RunName | None
    after: RunName | None


class RunComparison(Parameters):
    """Options of the comparison of two runs."""

    pictures: NonNegativeInt
