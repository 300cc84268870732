"""Test-time augmentation: the mean of predictions of a photo mirrored, smaller and larger."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from car_segmentation.prediction.ensemble import mean_of
from car_segmentation.prediction.predictor import OnAnother


@dataclass(frozen=True)
class TestTimeAugmentation(OnAnother):
    """The mean of predictions of several views of a photo: mirrored, smaller, larger.

    A `Predictor`.

    Attributes:
        predictor: Takes photos of one size, or of any.
        flip: Whether each view is also predicted mirrored left to right.
        scales: Sizes of the photo in the frame, which stays as large as it is: beyond a smaller
            photo is its mirror image; of a larger one only the middle is seen, and what is
            outside is left to other views. One of them is at most 1.
    """

    __test__ = False  # Its name is no sign of a test: pytest looks here.

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)

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
        unflipped = np.asarray(self.predictor.predict_on_batch(photos))
        if not self.flip:
            return unflipped
        mirrored = self.predictor.predict_on_batch(np.ascontiguousarray(photos[:, :, ::-1]))
        return mean_of([unflipped, np.asarray(mirrored)[:, :, ::-1]])

    def to_json(self) -> str:
        """See `Predictor`."""
        views = {"flip": self.flip, "scales": self.scales}
        return json.dumps({"views": views, "of": self.predictor.to_json()})


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


def _about_the_middle(height: int, width: int, scale: float) -> np.ndarray:
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, scale)


def _each(batch: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.stack([change(image) for image in batch])
