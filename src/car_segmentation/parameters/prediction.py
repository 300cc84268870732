"""How photos are predicted, what the report shows, and what inference writes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from car_segmentation.parameters.group import Parameters, Pixels


def _border_seen(scales: tuple[float, ...]) -> tuple[float, ...]:
    if min(scales) > 1:
        raise ValueError("one of the scales must be at most 1, or nothing sees the photo's border")
    return scales


class TileOptions(Parameters):
    """How a photo is cut into tiles: see `prediction.tiling`."""

    overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    height: Pixels | None = None
    width: Pixels | None = None


class PredictionOptions(Parameters):
    """How photos are predicted, for the threshold, the report and new photos alike."""

    batch_size: PositiveInt = 4
    backend: Literal["keras", "openvino", "onnxruntime"] = "keras"
    flip: bool = False
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.25, le=4)], ...],
        Field(min_length=1),
        AfterValidator(_border_seen),
    ] = (1.0,)
    ensemble: tuple[str, ...] = ()
    tiles: TileOptions | None = None


class Reporting(Parameters):
    """What the report shows."""

    worst_photos: PositiveInt
    random_photos: PositiveInt
    label_errors: PositiveInt
    include_train: bool


class Inference(Parameters):
    """What is written beside the masks of new photos."""

    probability_maps: bool
    cut_outs: bool
    composites: Annotated[str, Field(min_length=1)] | None = None
    composite_format: Literal["jpg", "png"] = "jpg"
    submission: bool
    sample_submission: str | None
