"""From photos to probability maps, and from those to masks at native size."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from tqdm import tqdm

from car_segmentation.data.image_stack import ImageStack, Note, PendingStack, WriteImage
from car_segmentation.prediction.predictors import Predictor


def predict_batches(
    model: Predictor, photos: ImageStack, photo_ids: Sequence[str], batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Predict photos batch by batch.

    Yields:
        The position in ``photo_ids`` and the probability map, float32 (height, width), of each
        photo.
    """
    rows = photos.rows_of(photo_ids)
    with tqdm(total=len(rows), desc="predict", unit="photo") as progress:
        for start in range(0, len(rows), batch_size):
            batch = photos.pixels[rows[start : start + batch_size]]
            for offset, probability in enumerate(model.predict_on_batch(batch)):
                yield start + offset, np.asarray(probability)[..., 0]
                progress.update()


def predicted_stack(
    model: Predictor, photos: ImageStack, photo_ids: Sequence[str], batch_size: int
) -> PendingStack:
    """The probability maps of photos as a stack of float16 (height, width), 0 to 1."""

    def fill(write_image: WriteImage) -> Mapping[str, Note]:
        for row, probability in predict_batches(model, photos, photo_ids, batch_size):
            write_image(row, probability)
        return {}

    return PendingStack(tuple(photo_ids), photos.pixels.shape[1:3], "float16", fill)


def to_native_size(probability: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a probability map to the photo's own size, bilinearly: float32 (height, width).

    Probabilities are enlarged and not masks: cutting at the threshold first costs up to 0.005
    Dice (docs/decisions.md).
    """
    return cv2.resize(
        probability.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )


def predicted_mask(
    probability: np.ndarray, native_shape: tuple[int, ...], threshold: float
) -> np.ndarray:
    """The mask at native size, bool (height, width), from a probability map of any size."""
    height, width = native_shape
    return to_native_size(probability, height, width) >= threshold
