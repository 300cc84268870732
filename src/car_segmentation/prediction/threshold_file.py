"""The threshold of a model in a file: ``threshold.json`` beside it."""

import json
from pathlib import Path

from car_segmentation.core.errors import UserError


def threshold_beside(model: Path) -> float:
    """Read the threshold of a model: the probability, 0 to 1, from which a pixel is car.

    Args:
        model: Its ``.keras`` file; ``threshold.json`` is in the same folder.

    Raises:
        UserError: If there is none, or the file holds something else.
    """
    path = model.with_name("threshold.json")
    mend = 'Train a model first (`kedro run`), or write the file: {"threshold": 0.5}'
    if not path.is_file():
        raise UserError(f"There is no {path}, which holds the threshold of {model}. {mend}")
    try:
        threshold = json.loads(path.read_bytes())["threshold"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path} does not hold a threshold. {mend}") from None
    # NaN is not between 0 and 1 either.
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise UserError(
            f"{path} holds the threshold {threshold!r:.50}, which is not a number. {mend}"
        )
    if not 0 <= threshold <= 1:
        raise UserError(f"{path} holds the threshold {threshold}, not one of 0 to 1. {mend}")
    return float(threshold)
