"""Ensembles: the mean of several models' probabilities."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.predictor import Predictor


@dataclass(frozen=True)
class Ensemble:
    """The mean of several models' probabilities; a `Predictor`.

    Attributes:
        members: Predictors whose input has one size.

    Raises:
        UserError: If it has several: resizing for one member would cost it its Dice.
    """

    members: Sequence[Predictor]

    def __post_init__(self) -> None:
        """Refuse models of different input sizes."""
        sizes = {tuple(member.input_shape[1:3]) for member in self.members}
        if len(sizes) > 1:
            found = ", ".join(f"{width}×{height}" for height, width in sorted(sizes, key=str))
            raise UserError(
                f"The models of an ensemble must have one input size; these have {found}. "
                "Name others in `prediction.ensemble`, or train them with the same `image`."
            )

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """As that of any member."""
        return tuple(self.members[0].input_shape)

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        return mean_of(np.asarray(member.predict_on_batch(photos)) for member in self.members)

    def to_json(self) -> str:
        """See `Predictor`."""
        return json.dumps({"ensemble": [member.to_json() for member in self.members]})

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return [weights for member in self.members for weights in member.get_weights()]


def mean_of(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of arrays of one shape, two of which are in memory at a time."""
    others = iter(batches)
    total = next(others)
    number = 1
    for batch in others:
        total = total + batch
        number += 1
    return np.asarray(total / np.float32(number))
