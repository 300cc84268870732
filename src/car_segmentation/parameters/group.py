"""What every group of parameters is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=16, le=8192)]


class Parameters(BaseModel):
    """A group of parameters: unknown names are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
