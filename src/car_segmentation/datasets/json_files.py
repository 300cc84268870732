"""Small results in JSON files, checked for what they must hold when they are read."""

import json
from typing import Annotated, Any

from kedro.io.core import Version
from pydantic import AfterValidator, BaseModel, Field, FiniteFloat

from car_segmentation.core.json_files import read_json
from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.previews import JSONPreview
from car_segmentation.evaluation.review_queue import ReviewModel
from car_segmentation.parameters.data import AugmentationSettings
from car_segmentation.parameters.group import Fraction


class Threshold(BaseModel):
    """The probability from which a pixel is car, and the Dice that it was chosen by."""

    threshold: Fraction
    validation_dice: Fraction


class UpperBound(BaseModel):
    """See `evaluation.upper_bound`."""

    photos: Annotated[int, Field(ge=0)]
    dice_mean: Fraction
    edge_error_px: Annotated[FiniteFloat, Field(ge=0)]


def _of_one_length(history: dict[str, list[float]]) -> dict[str, list[float]]:
    if len({len(values) for values in history.values()}) != 1:
        raise ValueError("not every metric has a value for each epoch")
    return history


KINDS: dict[str, Any] = {
    "anything": Any,
    "augmentation": AugmentationSettings,
    "fractions": list[Fraction],
    "history": Annotated[
        dict[str, Annotated[list[float], Field(min_length=1)]], AfterValidator(_of_one_length)
    ],
    "numbers": dict[str, float | None],
    "review_model": ReviewModel,
    "threshold": Threshold,
    "upper_bound": UpperBound,
}
"""Types of the files' contents, by their names in the catalog."""


class JSONFileDataset(FileDataset[Any, Any]):
    """A JSON file, written in one step.

    Args:
        filepath: Where it is.
        holds: One of `KINDS`: a file that holds something else is refused.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def __init__(
        self,
        filepath: str,
        holds: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
    ):
        super().__init__(filepath, version, metadata, credentials)
        self._holds = holds

    def load(self) -> Any:
        """Read the file.

        Raises:
            UserError: If it is damaged, or holds something else than it should.
        """
        mend = "Delete it, and run the pipeline that writes it again."
        with self.reading() as path:
            return read_json(path, KINDS[self._holds], mend)

    def save(self, data: Any) -> None:
        """Write the file, durably."""
        with self.writing(durable=True) as part:
            part.write_text(json.dumps(data, indent=2))

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"holds": self._holds}

    def preview(self) -> JSONPreview:
        """All of it."""
        return JSONPreview(json.dumps(self.load()))
