"""Masks on their way to a labelling tool and back."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from car_segmentation.parameters.group import Parameters, Text


class Labelling(Parameters):
    """See `data.labelling_tasks`."""

    tool: Literal["label_studio", "cvat", "labelme"] = "label_studio"
    photos: Text | None = None
    most: PositiveInt = 40
    photo_url: Annotated[str, Field(pattern=r"\{photo\}")] = "/data/local-files/?d=photos/{photo}"
    annotated: Text | None = None
    annotator: str | None = None
