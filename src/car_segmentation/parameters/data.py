"""Photos and masks: how they pair, what is refused, how they are split, resized and augmented."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from car_segmentation.core.name_patterns import compile_pattern
from car_segmentation.parameters.group import Fraction, Parameters, Pixels, Text


def _as_tuple(values: Any) -> Any:
    """A list in conf/ may be left out around a single value."""
    if values in ("bright", "dark", "alpha") or values is None:
        return values
    return values if isinstance(values, list | tuple) else (values,)


class Subject(Parameters):
    """Name of the object, in messages and reports."""

    one: Text = "car"
    many: Text = "cars"

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
    """Pairing of photos and masks by name: see `core.name_patterns`."""

    name_pattern: str | None
    mask_suffix: str = ""
    mask_pattern: str | None = None
    max_cars: PositiveInt | None

    @model_validator(mode="after")
    def _patterns_fit(self) -> Self:
        fields = {}
        for name in ("name_pattern", "mask_pattern"):
            pattern = getattr(self, name)
            try:
                fields[name] = set(compile_pattern(pattern).groupindex) if pattern else set()
            except ValueError as error:
                raise ValueError(f"{name} = {pattern!r} {error}") from None
        if self.name_pattern and not self.mask_pattern and "car" not in fields["name_pattern"]:
            raise ValueError(
                f"name_pattern = {self.name_pattern!r} needs a group (?P<car>…) or a field "
                "{car}, which tells photos of one car"
            )
        unknown = fields["mask_pattern"] - fields["name_pattern"] - {"photo"}
        if unknown:
            raise ValueError(
                f"mask_pattern = {self.mask_pattern!r} has {{{', '.join(sorted(unknown))}}}, which "
                "name_pattern does not have: nothing says which photo a mask belongs to"
            )
        return self


AnnotationFormat = Literal[
    "auto", "coco", "labelme", "label_studio", "cvat", "supervisely", "yolo", "voc", "cvat_masks"
]


class Masks(Parameters):
    """Values of a mask that are the object, and values that are ignored."""

    foreground: Annotated[
        Literal["bright", "dark", "alpha"]
        | Annotated[tuple[int | float | str, ...], Field(min_length=1)]
        | None,
        BeforeValidator(_as_tuple),
    ] = None
    ignore: Annotated[tuple[int | float | str, ...], BeforeValidator(_as_tuple)] = ()


class Checks(Parameters):
    """Which photos and masks are refused."""

    max_megapixels: PositiveFloat
    max_grey_share: Fraction
    max_rejected_share: Fraction


class Fractions(Parameters):
    """Fractions of the cars."""

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
    """Which cars train, validate and test."""

    fractions: Fractions
    folds: Annotated[int, Field(ge=2)] | None
    fold: NonNegativeInt
    seed: NonNegativeInt | None = None
    keep: Text | None = None

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.keep is not None and self.folds is not None:
            raise ValueError("keep and folds exclude each other: one of them has to be null")
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold {self.fold} does not exist: there are {self.folds or 1}, from 0"
            )
        return self


class ImageSize(Parameters):
    """The size that the network sees."""

    height: Pixels
    width: Pixels


class AugmentationSettings(Parameters):
    """See `augmentation.Augmentation`."""

    shift: Annotated[float, Field(ge=0, lt=1)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]
    probability: Fraction
    flip_probability: Fraction
    border: Literal["reflect", "replicate", "constant"]
    hue: Annotated[float, Field(ge=0, le=180)] = 0.0
    saturation: Fraction = 0.0
    brightness: Fraction = 0.0
    colour_probability: Fraction = 0.0


class AugmentationRanges(AugmentationSettings):
    """The same, and how much of a car must stay in the frame."""

    min_in_frame: Fraction
