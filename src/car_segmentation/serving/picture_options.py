"""Options of the pictures that callers request."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import Limits
from car_segmentation.parameters import CanvasOptions
from car_segmentation.parameters.group import Parameters
from car_segmentation.parameters.messages import problem_text
from car_segmentation.prediction.composites import Backdrop, parse_colour
from car_segmentation.serving.decoding import decode
from car_segmentation.serving.problems import Problem

Wanted = Literal["mask", "cut_out"]
CANVAS = "canvas_"
"""Prefix of the names of a canvas' options."""


class RequestOptions(Parameters):
    """Options of a request, by the names that it uses; those of the group `inference`."""

    largest_piece: bool = Field(False, description="Only the largest connected piece.")
    background: str | bytes | None = Field(
        None, description="'#rrggbb', a colour's name, or a picture as a file; clear without."
    )
    shadow: bool = Field(False, description="Keep the shadow on a smooth floor, softly.")
    canvas_width: int | None = Field(None, description="Pixels of the picture; with the height.")
    canvas_height: int | None = Field(None, description="Pixels of the picture; with the width.")
    canvas_proportion: float | None = Field(
        None, description="Width by height of the picture, in place of both."
    )
    canvas_margin: float | None = Field(
        None, description="Free on each side, as a fraction of the picture's shorter side: 0.05."
    )
    canvas_align: str | None = Field(None, description="centre, or floor: on one line.")
    canvas_same_scale: bool | None = Field(
        None, description="One scale for all photos of the request, as for views of one car: true."
    )

    @classmethod
    def of(cls, given: Mapping[str, str | bytes], wanted: Wanted) -> "RequestOptions":
        """Check what a request asks.

        Raises:
            Problem: If an option is unknown, or its value is not one.
        """
        known = list(cls.model_fields) if wanted == "cut_out" else ["largest_piece"]
        unknown = given.keys() - set(known)
        if unknown:
            raise Problem(
                400,
                f"There is no option {min(unknown)!r:.60} here; there are: {', '.join(known)}.",
            )
        try:
            options = cls.model_validate(given)
            options.canvas()
        except ValidationError as error:
            raise Problem(400, f"{problem_text(error.errors()[0])}.") from None
        options.colour()
        return options

    def canvas(self) -> CanvasOptions | None:
        """Canvas of the pictures; None where they keep their native size."""
        given = {
            name.removeprefix(CANVAS): value
            for name, value in self.model_dump(exclude_none=True).items()
            if name.startswith(CANVAS)
        }
        return CanvasOptions(**given) if given else None

    def backdrop(self, limits: Limits) -> Backdrop | None:
        """Backdrop of the cut-outs.

        Raises:
            Problem: If it is neither a colour nor a picture.
        """
        if isinstance(self.background, bytes):
            return Backdrop(decode(self.background, limits, "The background"))
        colour = self.colour()
        return None if colour is None else Backdrop(np.array([[colour]], np.uint8))

    def colour(self) -> tuple[int, int, int] | None:
        """The background, if it is a colour.

        Raises:
            Problem: If it is none that is known.
        """
        if not isinstance(self.background, str):
            return None
        try:
            return parse_colour(self.background, "background")
        except UserError as error:
            raise Problem(400, str(error)) from None


NO_OPTIONS = RequestOptions.model_validate({})
