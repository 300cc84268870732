"""Tiling: photos of any size are predicted in overlapping tiles, which fade into each other."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.core.errors import UserError
from car_segmentation.prediction.predictor import OnAnother, predict_full_batch


@dataclass(frozen=True)
class Tiles(OnAnother):
    """Predicts photos of any size in overlapping tiles, which fade into each other.

    A `Predictor`, whatever the size that the network takes.

    Memory is that of a photo, its probability map and a batch of tiles, however many tiles.

    Attributes:
        predictor: Predicts tiles.
        overlap: Fraction of a tile, at least 0 and below 1, that it shares with its neighbour.
        batch_size: Tiles that are predicted at a time.
        height: Height of a tile in pixels, where the predictor takes any.
        width: Width of a tile in pixels, likewise.

    Raises:
        UserError: If a predictor that takes any size is given no size of tiles, or one that takes
            a size of its own is given another.
    """

    overlap: float
    batch_size: int
    height: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        """Check the size of the tiles."""
        self._tile_size()

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Any size."""
        return (None, None, None, 3)

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`; one photo after the other."""
        return np.stack([self._predict(photo) for photo in photos])

    def _predict(self, photo: np.ndarray) -> np.ndarray:
        height, width = self._tile_size()
        rows, columns = photo.shape[:2]
        photo = _at_least(photo, height, width)
        tops = tile_starts(photo.shape[0], height, self.overlap)
        lefts = tile_starts(photo.shape[1], width, self.overlap)
        windows = fading_window(height), fading_window(width)
        weight = np.outer(windows[0], windows[1])
        total = np.zeros(photo.shape[:2], np.float32)
        places = [
            (slice(top, top + height), slice(left, left + width)) for top in tops for left in lefts
        ]
        for batch in in_chunks(places, self.batch_size):
            tiles = [photo[place] for place in batch]
            maps = predict_full_batch(self.predictor, tiles, self.batch_size)
            for place, probability in zip(batch, maps, strict=True):
                total[place] += weight * probability
        # Tiles stand in rows and columns, so that their weights add up along each alone.
        total /= _summed(windows[0], tops, photo.shape[0])[:, np.newaxis]
        total /= _summed(windows[1], lefts, photo.shape[1])
        return total[:rows, :columns, np.newaxis]

    def _tile_size(self) -> tuple[int, int]:
        sizes = []
        for name, own, given in zip(
            ("height", "width"),
            self.predictor.input_shape[1:3],
            (self.height, self.width),
            strict=True,
        ):
            if own is None and given is None:
                raise UserError(
                    f"This model takes photos of any size: give that of the tiles "
                    f"(prediction.tiles.{name}, in pixels)."
                )
            if own is not None and given not in (None, own):
                raise UserError(
                    f"prediction.tiles.{name} is {given}, but this model takes photos of {own} "
                    "pixels: leave it null."
                )
            sizes.append(own or given or 0)
        return sizes[0], sizes[1]

    def to_json(self) -> str:
        """See `Predictor`."""
        tiles = {"size": self._tile_size(), "overlap": self.overlap}
        return json.dumps({"tiles": tiles, "of": self.predictor.to_json()})


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin: the first at 0, the last ends with the photo, the others evenly between.

    Args:
        length: Pixels of the photo along an axis, at least ``tile``.
        tile: Pixels of a tile.
        overlap: Least fraction of a tile that it shares with its neighbour, 0 to below 1.

    Example:
        >>> tile_starts(100, 40, 0.25)
        [0, 30, 60]
    """
    step = max(1, int(tile * (1 - overlap)))
    gaps = -(-(length - tile) // step)
    return [round(index * (length - tile) / max(1, gaps)) for index in range(gaps + 1)]


def fading_window(length: int) -> np.ndarray:
    """A tile's weight along an axis: sin², least at its ends and nowhere 0; float32."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)


def _summed(window: np.ndarray, starts: Iterable[int], length: int) -> np.ndarray:
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + len(window)] += window
    return total


def _at_least(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Add the mirror image at the bottom and right of a photo smaller than a tile."""
    missing = (max(0, height - photo.shape[0]), max(0, width - photo.shape[1]))
    if missing == (0, 0):
        return photo
    return cv2.copyMakeBorder(photo, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT)
