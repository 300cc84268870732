"""Better masks for more time: several predictions of a photo, averaged.

All of them look like a Keras model to their callers, so that inference and reporting take either,
and so that one may stand on another: tiles of mirrored views of an ensemble.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from car_segmentation.core.errors import UserError


class Predictor(Protocol):
    """What predicts photos: a Keras model, or several predictions made one."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(batch, height, width, 3); None for what may be of any size."""

    def predict_on_batch(self, photos: np.ndarray) -> Any:
        """Probability maps, float32 (batch, height, width, 1), of uint8 RGB photos."""

    def to_json(self) -> str:
        """How it is built."""

    def get_weights(self) -> list[np.ndarray]:
        """What it has learnt."""


@dataclass(frozen=True)
class Ensemble:
    """The mean of what several models say.

    Attributes:
        members: Predictors that see photos of the same size.

    Raises:
        UserError: If they do not.
    """

    members: Sequence[Predictor]

    def __post_init__(self) -> None:
        """Refuse models of different sizes: resizing for one would cost it its Dice."""
        sizes = {tuple(member.input_shape[1:3]) for member in self.members}
        if len(sizes) > 1:
            seen = ", ".join(f"{width}×{height}" for height, width in sorted(sizes, key=str))
            raise UserError(
                f"The models of an ensemble must see photos of one size; these see {seen}. "
                "Give others as `ensemble`, or train them with the same `image`."
            )

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """As that of any member."""
        return tuple(self.members[0].input_shape)

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        return _mean(np.asarray(member.predict_on_batch(photos)) for member in self.members)

    def to_json(self) -> str:
        """See `Predictor`."""
        return json.dumps({"ensemble": [member.to_json() for member in self.members]})

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return [weights for member in self.members for weights in member.get_weights()]


@dataclass(frozen=True)
class Views:
    """The mean of what a predictor says of several views of a photo: mirrored, smaller, larger.

    Attributes:
        predictor: Sees photos of one size, or of any.
        flip: Whether each view is also predicted mirrored left to right.
        scales: Sizes of the photo in the frame, which stays as large as it is: beyond a smaller
            photo is its mirror image; of a larger one only the middle is seen, and what is
            outside is left to other views. One of them is at most 1.
    """

    predictor: Predictor
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """As that of the predictor."""
        return tuple(self.predictor.input_shape)

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        total = np.zeros((*photos.shape[:3], 1), np.float32)
        views = np.zeros((*photos.shape[1:3], 1), np.float32)
        for scale in self.scales:
            seen = seen_at_scale(photos.shape[1], photos.shape[2], scale)[..., np.newaxis]
            total += self._at_scale(photos, scale) * seen
            views += seen
        return total / views

    def _at_scale(self, photos: np.ndarray, scale: float) -> np.ndarray:
        if scale == 1:
            return self._flipped(photos)
        maps = self._flipped(_each(photos, lambda photo: at_scale(photo, scale)))
        return _each(maps, lambda probability: from_scale(probability, scale)[..., np.newaxis])

    def _flipped(self, photos: np.ndarray) -> np.ndarray:
        as_it_is = np.asarray(self.predictor.predict_on_batch(photos))
        if not self.flip:
            return as_it_is
        mirrored = self.predictor.predict_on_batch(np.ascontiguousarray(photos[:, :, ::-1]))
        return _mean([as_it_is, np.asarray(mirrored)[:, :, ::-1]])

    def to_json(self) -> str:
        """See `Predictor`."""
        views = {"flip": self.flip, "scales": self.scales}
        return json.dumps({"views": views, "of": self.predictor.to_json()})

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return self.predictor.get_weights()


@dataclass(frozen=True)
class Tiles:
    """Predicts photos of any size in overlapping tiles, which fade into each other.

    Memory is that of a photo, its probability map and a batch of tiles, whatever the tiles' number.

    Attributes:
        predictor: Sees tiles.
        overlap: Share of a tile, at least 0 and below 1, that its neighbour sees too.
        batch_size: Tiles that are predicted at a time.
        height: Height of a tile in pixels, where the predictor takes any.
        width: Width of a tile in pixels, likewise.

    Raises:
        UserError: If a predictor that takes any size is given no size of tiles, or one that takes
            a size of its own is given another.
    """

    predictor: Predictor
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
        for place, probability in zip(places, self._predict_tiles(photo, places), strict=True):
            total[place] += weight * probability
        # Tiles stand in rows and columns, so that their weights add up along each alone.
        total /= _summed(windows[0], tops, photo.shape[0])[:, np.newaxis]
        total /= _summed(windows[1], lefts, photo.shape[1])
        return total[:rows, :columns, np.newaxis]

    def _predict_tiles(
        self, photo: np.ndarray, places: Sequence[tuple[slice, slice]]
    ) -> Iterator[np.ndarray]:
        """Probability maps (height, width) of tiles; batches are all of one shape."""
        for start in range(0, len(places), self.batch_size):
            batch_places = places[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, *self._tile_size(), 3), np.uint8)
            for row, place in enumerate(batch_places):
                batch[row] = photo[place]
            maps = np.asarray(self.predictor.predict_on_batch(batch))
            yield from maps[: len(batch_places), ..., 0]

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
                    f"This model sees photos of any size: say how large tiles are "
                    f"(inference.tiles.{name}, in pixels)."
                )
            if own is not None and given not in (None, own):
                raise UserError(
                    f"inference.tiles.{name} is {given}, but this model sees photos of {own} "
                    "pixels: leave it null."
                )
            sizes.append(own or given or 0)
        return sizes[0], sizes[1]

    def to_json(self) -> str:
        """See `Predictor`."""
        tiles = {"size": self._tile_size(), "overlap": self.overlap}
        return json.dumps({"tiles": tiles, "of": self.predictor.to_json()})

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return self.predictor.get_weights()


@dataclass(frozen=True)
class StoredModel:
    """A Keras model in a file, read where it is used, once in a process: a worker's, say.

    Attributes:
        path: The ``.keras`` file; another model needs another path.
        input_shape: See `Predictor`.
    """

    path: Path
    input_shape: tuple[int | None, ...]

    def predict_on_batch(self, photos: np.ndarray) -> Any:
        """See `Predictor`; by one thread at a time."""
        with _ONE_PREDICTS:
            return _read_model(self.path).predict_on_batch(photos)

    def to_json(self) -> str:
        """See `Predictor`."""
        return str(_read_model(self.path).to_json())

    def get_weights(self) -> list[np.ndarray]:
        """See `Predictor`."""
        return list(_read_model(self.path).get_weights())


_ONE_PREDICTS = threading.RLock()


def stored(predictor: Predictor, store: Callable[[Any], Path]) -> Predictor:
    """A predictor that travels light: its Keras models are in files.

    Args:
        predictor: A Keras model, or what stands on some.
        store: Writes a model to a file.
    """
    if isinstance(predictor, Ensemble):
        return Ensemble([stored(member, store) for member in predictor.members])
    if isinstance(predictor, Views | Tiles):
        return replace(predictor, predictor=stored(predictor.predictor, store))
    if not hasattr(predictor, "save"):
        return predictor
    return StoredModel(store(predictor), tuple(predictor.input_shape))


@cache
def _read_model(path: Path) -> Any:
    from car_segmentation.networks import read_model

    return read_model(path)


def better_predictor(
    model: Predictor,
    ensemble: Sequence[Predictor] = (),
    flip: bool = False,
    scales: tuple[float, ...] = (1.0,),
) -> Predictor:
    """A model with other models beside it and several views, or itself where neither is asked for.

    Args:
        model: The model itself.
        ensemble: Others, to be averaged with it.
        flip: See `Views`.
        scales: See `Views`.
    """
    predictor = Ensemble([model, *ensemble]) if ensemble else model
    return Views(predictor, flip, scales) if flip or scales != (1.0,) else predictor


def at_scale(photo: np.ndarray, scale: float) -> np.ndarray:
    """Show a photo smaller or larger, round its middle, in a frame of the same size."""
    height, width = photo.shape[:2]
    return cv2.warpAffine(
        photo,
        _about_the_middle(height, width, scale),
        (width, height),
        borderMode=cv2.BORDER_REFLECT,
    )


def from_scale(probability: np.ndarray, scale: float) -> np.ndarray:
    """Undo `at_scale` for a probability map, (height, width) or with a channel more."""
    height, width = probability.shape[:2]
    return cv2.warpAffine(
        probability,
        _about_the_middle(height, width, scale),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def seen_at_scale(height: int, width: int, scale: float) -> np.ndarray:
    """Which pixels of a photo are in the frame at a scale; float32 (height, width), 1 or 0."""
    along = [
        np.abs(np.arange(length) - (length - 1) / 2) * scale <= (length - 1) / 2 + 1e-9
        for length in (height, width)
    ]
    return np.outer(*along).astype(np.float32)


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin: the first at 0, the last ends with the photo, the others evenly between.

    Args:
        length: Pixels of the photo along an axis, at least ``tile``.
        tile: Pixels of a tile.
        overlap: Least share of a tile that its neighbour sees too, 0 to below 1.

    Example:
        >>> tile_starts(100, 40, 0.25)
        [0, 30, 60]
    """
    step = max(1, int(tile * (1 - overlap)))
    gaps = -(-(length - tile) // step)
    return [round(index * (length - tile) / max(1, gaps)) for index in range(gaps + 1)]


def fading_window(length: int) -> np.ndarray:
    """How much a tile says along an axis: sin², least at its ends and nowhere 0; float32."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)


def _summed(window: np.ndarray, starts: Iterable[int], length: int) -> np.ndarray:
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + len(window)] += window
    return total


def _about_the_middle(height: int, width: int, scale: float) -> np.ndarray:
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, scale)


def _at_least(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Add the mirror image at the bottom and right of a photo smaller than a tile."""
    missing = (max(0, height - photo.shape[0]), max(0, width - photo.shape[1]))
    if missing == (0, 0):
        return photo
    return cv2.copyMakeBorder(photo, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT)


def _each(batch: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([change(image) for image in batch])


def _mean(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of arrays of one shape, two of which are in memory at a time."""
    others = iter(batches)
    total = next(others)
    number = 1
    for batch in others:
        total = total + batch
        number += 1
    return np.asarray(total / np.float32(number))
