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

from car_segmentation.parameters.group import Fraction, Parameters, Pixels, Text


class Network(BaseModel):
    """Which network; other options go to its builder (`networks.registry.check_options`)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    architecture: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the architecture."""
        return dict(self.model_extra or {})


class Stage(Parameters):
    """Stage of a training: photos are resized, or cropped (`stages`).

    Attributes:
        end_fraction: Where it ends, as a fraction of all epochs.
        mode: ``resize`` whole photos, or ``crop`` a part of each at full resolution.
        height: Of what the network sees, in pixels.
        width: In pixels.
        edge_crop_probability: How often a crop is centred near a point of the mask's edge;
            otherwise it is anywhere.
    """

    end_fraction: Annotated[float, Field(gt=0, le=1)]
    mode: Literal["resize", "crop"]
    height: Pixels
    width: Pixels
    edge_crop_probability: Fraction = 0.9


SAME_WEIGHTS = {"checkpoint_minutes", "resume", "loader_workers", "devices", "fit_to_memory"}
"""Settings of a training that change nothing about its weights, or only their rounding."""


class Training(Parameters):
    """Options of the training."""

    loss: Literal["bce_dice", "border_bce_dice", "dice", "jaccard", "focal", "tversky", "lovasz"]
    border_kernel: Annotated[int, Field(ge=3)]
    border_weight: NonNegativeFloat
    focal_gamma: NonNegativeFloat = 2.0
    focal_alpha: Fraction = 0.25
    tversky_alpha: PositiveFloat = 0.3
    tversky_beta: PositiveFloat = 0.7
    optimizer: Literal["adam", "adamw", "muon", "sgd"]
    learning_rate: PositiveFloat
    adamw_lr_multiplier: PositiveFloat = 1.0
    encoder_lr_multiplier: PositiveFloat = 1.0
    weight_decay: NonNegativeFloat
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    global_clipnorm: PositiveFloat | None = None
    gradient_accumulation_steps: PositiveInt = 1
    ema_momentum: Annotated[float, Field(gt=0, lt=1)] | None = None
    schedule: Literal["constant", "cosine", "plateau"]
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    plateau_patience: PositiveInt = 4
    batch_size: PositiveInt
    epochs: PositiveInt
    minutes: PositiveFloat | None = None
    stages: tuple[Stage, ...] = ()
    patience: NonNegativeInt
    min_delta: NonNegativeFloat
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    jit_compile: bool
    loader_workers: PositiveInt
    devices: PositiveInt | Literal["all"] = 1
    fit_to_memory: bool = False
    checkpoint_minutes: NonNegativeFloat = 5.0
    resume: bool = True
    start_from: Text | None = None

    @model_validator(mode="after")
    def _stages_follow_each_other(self) -> Self:
        ends = [stage.end_fraction for stage in self.stages]
        for end, next_end in pairwise(ends):
            if end >= next_end:
                raise ValueError(
                    f"stages: one with end_fraction {next_end:g} cannot follow one with {end:g}; "
                    "it is a fraction of all epochs, counted from the first"
                )
        return self
