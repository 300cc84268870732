"""The trained model as a service: photo bytes in, mask out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ServedModel:
    """All that makes a mask of a photo, and an example.

    Attributes:
        network: The trained network: uint8 photos (batch, height, width, 3) to probabilities.
        threshold: Probability from which a pixel is car.
        max_megapixels: Larger photos are refused.
        example: A photo, uint8 RGB (height, width, 3) of any size.
        registered_name: What the model is called in MLflow's registry; None: not registered.
    """

    network: "keras.Model"
    threshold: float
    max_megapixels: float
    example: np.ndarray
    registered_name: str | None = None
