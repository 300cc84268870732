"""What callers may ask of a cut-out."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import Limits
from car_segmentation.parameters.group import Parameters
from car_segmentation.parameters.messages import problem_text
from car_segmentation.prediction.composites import Backdrop, parse_colour
from car_segmentation.serving.problems import Problem
from car_segmentation.serving.uploads import decode

Wanted = Literal["mask", "cut_out"]


class PictureOptions(Parameters):
    """Options of a cut-out, by the names that requests use."""

    background: str | bytes | None = Field(
        None, description="'#rrggbb', or a picture as a file of the form; transparent without."
    )

    @classmethod
    def of(cls, given: Mapping[str, str | bytes], wanted: Wanted) -> "PictureOptions":
        """Check what a request asks.

        Raises:
            Problem: If an option is unknown, or its value is not one.
        """
        known = cls.model_fields if wanted == "cut_out" else {}
        unknown = given.keys() - known
        if unknown:
            raise Problem(
                400,
                f"There is no option {min(unknown)!r:.60} here; there are: "
                f"{', '.join(known) or 'none'}.",
            )
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise Problem(400, f"{problem_text(error.errors()[0])}.") from None

    def backdrop(self, limits: Limits) -> Backdrop | None:
        """What the cut-out is laid on.

        Raises:
            Problem: If it is neither a colour nor a picture.
        """
        if self.background is None:
            return None
        if isinstance(self.background, bytes):
            return Backdrop(decode(self.background, limits, "The background"))
        try:
            colour = parse_colour(self.background, "background")
        except UserError as error:
            raise Problem(400, str(error)) from None
        return Backdrop(np.array([[colour]], np.uint8))


NO_OPTIONS = PictureOptions.model_validate({})
