"""The network and its training."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from car_segmentation.parameters.group import Fraction, Parameters, Pixels


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
    height: Pixels
    width: Pixels
    edge_share: Fraction = 0.9


class Training(Parameters):
    """How the network is trained."""

    loss: Literal["bce_dice", "border_bce_dice", "dice", "jaccard", "focal", "tversky", "lovasz"]
    border_kernel: Annotated[int, Field(ge=3)]
    border_weight: NonNegativeFloat
    focal_gamma: NonNegativeFloat = 2.0
    focal_alpha: Fraction = 0.25
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
