"""Masks on their way to a labelling tool and back."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from car_segmentation.parameters.group import Parameters

Path = Annotated[str, Field(min_length=1)]


class Labelling(Parameters):
    """See `data.labelling_tasks`."""

    tool: Literal["label_studio", "cvat", "labelme"] = "label_studio"
    photos: Path | None = None
    most: PositiveInt = 40
    photo_url: Annotated[str, Field(pattern=r"\{photo\}")] = "/data/local-files/?d=photos/{photo}"
    annotated: Path | None = None
    annotator: str | None = None
