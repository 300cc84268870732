"""What may stand in ``conf/**/parameters*.yml``: names, types, ranges.

Units and sources of the values are in the comments of ``conf/base``.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from car_segmentation.core.errors import UserError

Share = Annotated[float, Field(ge=0, le=1)]


def _with_car_group(pattern: str | None) -> str | None:
    if pattern is None:
        return None
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from error
    if "car" not in groups:
        raise ValueError("needs a group (?P<car>…), which tells photos of one car")
    return pattern


class Parameters(BaseModel):
    """A group of parameters: unknown names are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(Parameters):
    """What is cut out, in the words of messages and reports."""

    one: Annotated[str, Field(min_length=1)] = "car"
    many: Annotated[str, Field(min_length=1)] = "cars"

    def count(self, number: int) -> str:
        """``1 car``, ``2 cars``."""
        return f"{number:,} {self.one if number == 1 else self.many}"


CARS = Subject()


class DemoPhotos(Parameters):
    """The rendered demo set."""

    cars: PositiveInt
    height: Annotated[int, Field(ge=64)]
    width: Annotated[int, Field(ge=64)]


class Pairing(Parameters):
    """How photos and masks find each other."""

    name_pattern: Annotated[str | None, AfterValidator(_with_car_group)]
    mask_suffix: str
    max_cars: PositiveInt | None


class Checks(Parameters):
    """Which photos and masks are refused."""

    max_megapixels: PositiveFloat
    max_grey_share: Share
    max_rejected_share: Share


class Fractions(Parameters):
    """Shares of the cars."""

    train: Annotated[float, Field(gt=0, le=1)]
    validation: Annotated[float, Field(gt=0, le=1)]
    test: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _add_up_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the fractions add up to {total:g}, not 1")
        return self


class Split(Parameters):
    """Who trains, validates and tests."""

    fractions: Fractions
    folds: Annotated[int, Field(ge=2)] | None
    fold: NonNegativeInt

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold {self.fold} does not exist: there are {self.folds or 1}, from 0"
            )
        return self


class ImageSize(Parameters):
    """The size that the network sees."""

    height: Annotated[int, Field(ge=16, le=8192)]
    width: Annotated[int, Field(ge=16, le=8192)]


class AugmentationRanges(Parameters):
    """See `augmentation.Augmentation`, and how much of a car must stay in the frame."""

    shift: Annotated[float, Field(ge=0, lt=1)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]
    probability: Share
    flip_probability: Share
    border: Literal["reflect", "replicate", "constant"]
    min_in_frame: Share
    hue: Annotated[float, Field(ge=0, le=180)] = 0.0
    saturation: Share = 0.0
    brightness: Share = 0.0
    colour_probability: Share = 0.0


class Network(BaseModel):
    """Which network; what else stands here goes to its builder (`networks.check_options`)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    architecture: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the architecture."""
        return dict(self.model_extra or {})


class Stage(Parameters):
    """How a part of a training's epochs shows photos: small, or a window of each (`stages`).

    Attributes:
        until: Where it ends, as a share of all epochs.
        show: Whole photos ``resized``, or a ``window`` of each, not resized.
        height: Of what the network sees, in pixels.
        width: In pixels.
        edge_share: How many windows are laid over a point of the mask's edge; others are anywhere.
    """

    until: Annotated[float, Field(gt=0, le=1)]
    show: Literal["resized", "window"]
    height: Annotated[int, Field(ge=16, le=8192)]
    width: Annotated[int, Field(ge=16, le=8192)]
    edge_share: Share = 0.9


class Training(Parameters):
    """How the network is trained."""

    loss: Literal["bce_dice", "border_bce_dice", "dice", "jaccard", "focal", "tversky", "lovasz"]
    border_kernel: Annotated[int, Field(ge=3)]
    border_weight: NonNegativeFloat
    focal_gamma: NonNegativeFloat = 2.0
    focal_alpha: Share = 0.25
    tversky_alpha: PositiveFloat = 0.3
    tversky_beta: PositiveFloat = 0.7
    optimizer: Literal["adam", "adamw", "muon", "sgd"]
    learning_rate: PositiveFloat
    adam_rate: PositiveFloat = 1.0
    encoder_rate: PositiveFloat = 1.0
    weight_decay: NonNegativeFloat
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    clip_norm: PositiveFloat | None = None
    accumulate_batches: PositiveInt = 1
    average_momentum: Annotated[float, Field(gt=0, lt=1)] | None = None
    schedule: Literal["constant", "cosine", "plateau"]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    plateau_patience: PositiveInt = 4
    batch_size: PositiveInt
    epochs: PositiveInt
    stages: tuple[Stage, ...] = ()
    patience: NonNegativeInt
    min_delta: NonNegativeFloat
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    jit_compile: bool
    loader_workers: PositiveInt
    devices: PositiveInt | Literal["all"] = 1
    fit_to_memory: bool = False
    checkpoint_minutes: NonNegativeFloat = 5.0
    resume: bool = True

    @model_validator(mode="after")
    def _stages_follow_each_other(self) -> Self:
        ends = [stage.until for stage in self.stages]
        for end, next_end in pairwise(ends):
            if end >= next_end:
                raise ValueError(
                    f"stages: one until {next_end:g} cannot follow one until {end:g}; until is a "
                    "share of all epochs, counted from the first"
                )
        return self


def _border_seen(scales: tuple[float, ...]) -> tuple[float, ...]:
    if min(scales) > 1:
        raise ValueError("one of the scales must be at most 1, or nothing sees the photo's border")
    return scales


class Predicting(Parameters):
    """Better masks for more time: see `predictors`."""

    flip: bool = False
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.25, le=4)], ...],
        Field(min_length=1),
        AfterValidator(_border_seen),
    ] = (1.0,)
    ensemble: tuple[str, ...] = ()


class Tiling(Parameters):
    """How a photo is cut into tiles: see `predictors.Tiles`."""

    overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    height: Annotated[int, Field(ge=16, le=8192)] | None = None
    width: Annotated[int, Field(ge=16, le=8192)] | None = None


class Reporting(Predicting):
    """What the report shows."""

    worst_photos: PositiveInt
    random_photos: PositiveInt
    suspect_masks: PositiveInt
    include_train: bool
    prediction_batch_size: PositiveInt


class Inference(Predicting):
    """How new photos are predicted, and what is written beside their masks."""

    batch_size: PositiveInt
    tiles: Tiling | None = None
    probability_maps: bool
    cut_outs: bool
    composites: Annotated[str, Field(min_length=1)] | None = None
    composite_format: Literal["jpg", "png"] = "jpg"
    submission: bool
    sample_submission: str | None


class Registry(Parameters):
    """The models' name in MLflow's registry, and which version may become the champion."""

    name: Annotated[str, Field(min_length=1)]
    register_models: bool
    candidate: PositiveInt | None


class Export(Parameters):
    """For which runtimes the model is exported."""

    formats: Annotated[tuple[Literal["onnx", "litert", "openvino"], ...], Field(min_length=1)]
    checked_photos: PositiveInt


class ComparisonCandidate(Parameters):
    """A network to compare with others, and what its training does differently."""

    network: Network
    training: dict[str, Any] = {}
    full_width: dict[str, Any] = {}


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
    """What the comparison of two runs shows."""

    pictures: NonNegativeInt


class Searched(Parameters):
    """What the search tries for one parameter: a range, or choices."""

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
        """Whether a range is one of whole numbers: both its ends are written as such."""
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
    space: Annotated[dict[str, Searched], Field(min_length=1)]


class ProjectParameters(Parameters):
    """All parameters of the project."""

    raw_data: str
    photo_folder: str = "train"
    mask_folder: str = "train_masks"
    subject: Subject = CARS
    photos: str
    predictions: str
    model: str
    cluster: Annotated[str, Field(min_length=1)] | None = None
    seed: NonNegativeInt
    demo_photos: DemoPhotos
    pairing: Pairing
    checks: Checks
    split: Split
    image: ImageSize
    augmentation: AugmentationRanges
    network: Network
    training: Training
    reporting: Reporting
    inference: Inference
    registry: Registry
    export: Export
    network_comparison: NetworkComparison
    runs: ComparedRuns
    run_comparison: RunComparison
    search: Search

    @model_validator(mode="after")
    def _candidates_can_be_trained(self) -> Self:
        for name, candidate in self.network_comparison.candidates.items():
            try:
                Training(**self.training.model_dump() | candidate.training)
            except ValidationError as error:
                problems = "; ".join(_problem(details) for details in error.errors())
                raise ValueError(
                    f"the training of network_comparison.candidates.{name}: {problems}"
                ) from None
        return self

    @model_validator(mode="after")
    def _stages_fit_into_photos(self) -> Self:
        for stage in self.training.stages:
            if stage.height > self.image.height or stage.width > self.image.width:
                raise ValueError(
                    f"training.stages: {stage.width}×{stage.height} is larger than the photos, "
                    f"{self.image.width}×{self.image.height} (image.width, image.height)"
                )
        return self

    @model_validator(mode="after")
    def _space_can_be_searched(self) -> Self:
        groups = {name: getattr(self, name).model_dump() for name in SEARCHED_GROUPS}
        problems = space_problems(self.search.space, groups)
        if problems:
            raise ValueError("\n  ".join(problems))
        return self


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
    space: Mapping[str, Searched], groups: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What is wrong with a space to search; options of networks are not looked at.

    Args:
        space: By dotted name.
        groups: Parameters of `SEARCHED_GROUPS`, which a trial changes some of.
    """
    problems = []
    for name, searched in space.items():
        group, _, parameter = name.partition(".")
        model = SEARCHED_GROUPS.get(group)
        if model is None:
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
    name: str, searched: Searched, space: Mapping[str, Searched]
) -> Iterator[str]:
    if name != "network":
        if "network" in space:
            yield f"search.space: {name}: network as a whole is searched already"
    elif not all(isinstance(c, dict) and "architecture" in c for c in searched.choices or [None]):
        yield "search.space: network: takes choices, each of them a group with an architecture"


def _sample_problems(
    name: str,
    searched: Searched,
    model: type[BaseModel],
    groups: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    group = name.partition(".")[0]
    for value in searched.samples():
        try:
            model.model_validate(with_values(groups, {name: value})[group])
        except ValidationError as error:
            for details in error.errors():
                yield f"search.space: {group}.{_problem(details)}"
            return  # The first is enough of each parameter.


def check_parameters(parameters: Mapping[str, Any]) -> ProjectParameters:
    """Check all parameters at once.

    Raises:
        UserError: One message that lists every parameter that is unknown, missing, of the wrong
            type or out of range, with its value.
    """
    try:
        return ProjectParameters.model_validate(dict(parameters))
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
        raise UserError(
            "These parameters (conf/ or --params) cannot be used:\n  " + "\n  ".join(problems)
        ) from None


def _problem(details: Any) -> str:
    name = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"{name}: unknown parameter"
    if details["type"] == "missing":
        return f"{name}: missing"
    message = details["msg"].removeprefix("Value error, ")
    if not name:  # Said of all parameters together, by one of the checks above.
        return message
    return f"{name} = {details['input']!r}: {message[0].lower()}{message[1:]}"
