"""Models that need no training: what they predict is read off the photo."""

import numpy as np


class Brightness:
    """A model whose probability is the photo's red channel."""

    batches: list[int]

    def __init__(self) -> None:
        self.batches = []

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        self.batches.append(len(photos))
        return photos[..., :1].astype(np.float32) / 255


class Darkness:
    """A model whose probability is the lack of green: high on the discs of the tests."""

    input_shape = (None, 24, 32, 3)

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight
        self.batches: list[np.ndarray] = []

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        self.batches.append(photos)
        return 1 - photos[..., 1:2].astype(np.float32) / 255

    def to_json(self) -> str:
        return "{}"

    def get_weights(self) -> list[np.ndarray]:
        return [np.array([self.weight])]


HEIGHT, WIDTH = 24, 32


class Toy:
    """A model that looks at each pixel alone: its probability is the photo's green."""

    def __init__(self, height: int | None = HEIGHT, width: int | None = WIDTH) -> None:
        self.input_shape = (None, height, width, 3)
        self.batches: list[tuple[int, ...]] = []

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        self.batches.append(photos.shape)
        return photos[..., 1:2].astype(np.float32) / 255

    def to_json(self) -> str:
        return "toy"

    def get_weights(self) -> list[np.ndarray]:
        return [np.zeros(1)]
