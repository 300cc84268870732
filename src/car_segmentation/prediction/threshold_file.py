"""The threshold of a model in a file: ``threshold.json`` beside it."""

from pathlib import Path

from pydantic import BaseModel

from car_segmentation.core.errors import UserError
from car_segmentation.core.json_files import read_json
from car_segmentation.core.versions import sibling
from car_segmentation.parameters.group import Fraction


class _Content(BaseModel):
    threshold: Fraction


def threshold_beside(model: Path) -> float:
    """Read the threshold of a model: the probability, 0 to 1, from which a pixel is car.

    Args:
        model: Its ``.keras`` file; ``threshold.json`` is in the same folder. That of a version of a
            model is the same version.

    Raises:
        UserError: If there is none, or the file holds something else.
    """
    path = sibling(model, "threshold.json")
    mend = 'Train a model first (`kedro run`), or write the file: {"threshold": 0.5}'
    try:
        return float(read_json(path, _Content, mend)["threshold"])
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}, which holds the threshold of {model}. {mend}"
        ) from None
