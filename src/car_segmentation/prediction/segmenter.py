"""From photos to probability maps to masks.

All code that needs a mask uses a `Segmenter`: the threshold search, the report, inference,
and the checks of exported models and of the artifact in MLflow. So all of them score and write the
same masks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.data.images import resize_by_area
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.build import build_predictor
from car_segmentation.prediction.predictor import Predictor, predict_full_batch


@dataclass(frozen=True)
class Segmenter:
    """Photos, resized by area averaging → float16 probabilities → enlarged → masks at native size.

    Attributes:
        predictor: A Keras model, or what `build_predictor` makes of one.
        threshold: Probability, 0 to 1, from which a pixel is car.
        batch_size: Photos that are predicted at a time.

    Example:
        >>> class Red:
        ...     input_shape = (None, 1, 2, 3)
        ...
        ...     def predict_on_batch(self, photos):
        ...         return photos[..., :1] / np.float32(255)
        >>> photo = np.zeros((2, 4, 3), np.uint8)
        >>> photo[:, 2:, 0] = 255
        >>> Segmenter(Red(), threshold=0.7).probability(photo)[0].tolist()
        [0.0, 0.25, 0.75, 1.0]
        >>> Segmenter(Red(), threshold=0.7).mask(photo)[0].tolist()
        [False, False, True, True]
    """

    predictor: Predictor
    threshold: float = 0.5
    batch_size: int = 1

    @classmethod
    def from_options(
        cls, model: Predictor, options: PredictionOptions, threshold: float = 0.5
    ) -> Self:
        """A segmenter that predicts as the parameters of the group ``prediction`` say.

        Raises:
            UserError: If a model of the ensemble cannot be read, or sizes do not fit.
        """
        return cls(build_predictor(model, options), threshold, options.batch_size)

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width that photos are resized to; None where they keep their native size."""
        height, width = self.predictor.input_shape[1:3]
        return None if height is None or width is None else (height, width)

    @property
    def photos_at_a_time(self) -> int:
        """Number of photos that `predict_batch` takes: 1 where each has a size of its own."""
        return self.batch_size if self.input_size else 1

    def resize(self, photo: np.ndarray) -> np.ndarray:
        """A photo, uint8 RGB (height, width, 3), in the size that is predicted."""
        return photo if self.input_size is None else resize_by_area(photo, *self.input_size)

    def predict_batch(self, resized: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Probability maps of at most `photos_at_a_time` resized photos.

        Returns:
            float16 (photos, height, width), 0 to 1: the precision in which maps are kept, so that
            probabilities that were never kept are thresholded as those that were.
        """
        maps = predict_full_batch(self.predictor, resized, self.photos_at_a_time)
        return maps.astype(np.float16)

    def probabilities(self, photos: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Probability maps of photos, predicted in batches: see `probability`."""
        for batch in in_chunks(photos, self.photos_at_a_time):
            maps = self.predict_batch([self.resize(photo) for photo in batch])
            for photo, small in zip(batch, maps, strict=True):
                yield to_native_size(small, *photo.shape[:2])

    def probability(self, photo: np.ndarray) -> np.ndarray:
        """The probability map of a photo at its native size.

        Args:
            photo: uint8 RGB (height, width, 3), of any size.

        Returns:
            float32 (height, width), 0 to 1.
        """
        return next(self.probabilities([photo]))

    def mask(self, photo: np.ndarray) -> np.ndarray:
        """The mask of a photo at its native size: bool (height, width), True on the car."""
        return self.probability(photo) >= self.threshold


def to_native_size(probability: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a probability map to the photo's own size, bilinearly: float32 (height, width).

    Probabilities are enlarged and not masks: cutting at the threshold first costs up to 0.005
    Dice (docs/decisions.md).
    """
    return cv2.resize(
        probability.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
