"""How photos are predicted, for the report and for new photos."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from car_segmentation.parameters.group import Parameters, Pixels


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
    height: Pixels | None = None
    width: Pixels | None = None


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
