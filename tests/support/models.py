"""Models that need no training: what they predict is read off the photo."""

import numpy as np


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


class Constant(Toy):
    """A model that says the same of every pixel."""

    def __init__(self, value: float, height: int = HEIGHT, width: int = WIDTH) -> None:
        super().__init__(height, width)
        self.value = value

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        return np.full((*photos.shape[:3], 1), self.value, np.float32)


def random_photos(number: int = 2, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Photos of noise; uint8 (number, height, width, 3)."""
    return np.random.default_rng(0).integers(0, 256, (number, height, width, 3)).astype(np.uint8)
