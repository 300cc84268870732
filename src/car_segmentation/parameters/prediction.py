"""Options of prediction, report and inference."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from car_segmentation.parameters.group import Parameters, Pixels, Text


def _border_seen(scales: tuple[float, ...]) -> tuple[float, ...]:
    if min(scales) > 1:
        raise ValueError("one of the scales must be at most 1, or nothing sees the photo's border")
    return scales


def _is_shard(text: str) -> str:
    number, _, count = text.partition("/")
    is_whole = all(part.isascii() and part.isdecimal() for part in (number, count))
    if not is_whole or not 1 <= int(number) <= int(count):
        raise ValueError("a part of a number of parts, such as 1/20 to 20/20")
    return text


class TileOptions(Parameters):
    """Tiling of photos: see `prediction.tiling`."""

    overlap: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    height: Pixels | None = None
    width: Pixels | None = None


class PredictionOptions(Parameters):
    """Options of prediction, for the threshold, the report and new photos alike."""

    batch_size: PositiveInt = 4
    backend: Literal["keras", "openvino", "onnxruntime"] = "keras"
    precision: Literal["auto", "float32"] | None = None
    flip: bool = False
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.25, le=4)], ...],
        Field(min_length=1),
        AfterValidator(_border_seen),
    ] = (1.0,)
    ensemble: tuple[str, ...] = ()
    tiles: TileOptions | None = None


class Reporting(Parameters):
    """Options of the report."""

    worst_photos: PositiveInt
    random_photos: PositiveInt
    label_errors: PositiveInt
    include_train: bool


class Review(Parameters):
    """Options of the review queue."""

    mirrored: bool = False


class CanvasOptions(Parameters):
    """Canvas of a cut-out: see `prediction.canvas`."""

    width: Pixels | None = None
    height: Pixels | None = None
    proportion: Annotated[float, Field(ge=0.1, le=10)] | None = None
    margin: Annotated[float, Field(ge=0, le=0.4)] = 0.05
    align: Literal["centre", "floor"] = "centre"
    same_scale: bool = True

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("a canvas has both width and height, or neither")
        if self.width is not None and self.proportion is not None:
            raise ValueError("a canvas has a width and height, or a proportion, not both")
        return self


class Inference(Parameters):
    """Outputs in addition to the masks of new photos, and how pictures are made."""

    largest_piece: bool = False
    shadow: bool = False
    canvas: CanvasOptions | None = None
    probability_maps: bool
    cut_outs: bool
    composites: Text | None = None
    composite_format: Literal["jpg", "png"] = "jpg"
    submission: bool
    sample_submission: str | None
    shard: Annotated[str, AfterValidator(_is_shard)] | None = None

    @model_validator(mode="after")
    def _parts_are_enough(self) -> Self:
        if self.shard is not None and (self.submission or self.canvas is not None):
            raise ValueError(
                "shard: a submission and canvases are made of all photos. Ask for them in a last "
                "run without shard, which predicts no photo again"
            )
        return self
