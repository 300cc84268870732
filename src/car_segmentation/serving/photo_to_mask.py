"""A model and all that is done before and after it, as one Keras model: to be exported.

It does what `prediction.segmenter.Segmenter` does, in operations that other runtimes know. Tensors
are (batch, height, width, channels).
"""

from typing import Any

import keras
from keras import ops

from car_segmentation.networks.precision import in_float32


class PhotoToMask(keras.Model):
    """From photos of any size to their masks.

    Input: uint8 RGB (batch, height, width, 3).
    Output: ``probability``, float32 (batch, height, width), 0 to 1, and ``mask``, uint8 of the same
    shape, 0 or 255.

    Args:
        model: From uint8 photos of one size to probabilities.
        threshold: Probability from which a pixel is car.
    """

    def __init__(self, model: keras.Model, threshold: float):
        super().__init__(name="photo_to_mask")
        self.model = in_float32(model)
        self.threshold = threshold

    def call(self, photo: Any) -> dict[str, Any]:
        """Predict masks at native size."""
        native_height, native_width = ops.shape(photo)[1:3]
        height, width = self.model.input_shape[1:3]
        small = average_areas(average_areas(photo, height, axis=1), width, axis=2)
        # Photos hold integers, and exporters need the shape.
        small = ops.reshape(ops.round(small), (-1, height, width, 3))
        probability = self.model(small, training=False)
        # The precision of probability maps everywhere else.
        probability = ops.cast(ops.cast(probability, "float16"), "float32")
        probability = enlarge(enlarge(probability, native_width, axis=2), native_height, axis=1)
        probability = probability[..., 0]
        mask = ops.where(probability >= self.threshold, 255, 0)
        return {"probability": probability, "mask": ops.cast(mask, "uint8")}


def average_areas(image: Any, size: int, axis: int) -> Any:
    """Resize along an axis: each pixel is the mean of what it covers, as OpenCV's INTER_AREA.

    Args:
        image: Four dimensions, any type.
        size: Pixels of the result.
        axis: 1 or 2.

    Returns:
        float32.
    """
    native = ops.shape(image)[axis]
    # In whole numbers, for float32 places pixel 1900 to a ten-thousandth only.
    begins = ops.arange(size, dtype="int32") * native
    first = begins // size
    fraction = _divide(begins - first * size, size)
    length = _divide(native, size)
    taps = ops.arange(native // size + 2, dtype="int32")[:, None]
    place = ops.cast(taps, "float32") - fraction
    covered = ops.minimum(place + 1, length) - ops.maximum(place, 0.0)
    return _weighted(image, first + taps, ops.maximum(covered, 0.0) / length, axis)


def enlarge(image: Any, size: Any, axis: int) -> Any:
    """Resize along an axis, linearly between the centres of pixels, as OpenCV's INTER_LINEAR.

    Args:
        image: float32 of four dimensions.
        size: Pixels of the result.
        axis: 1 or 2.
    """
    small = image.shape[axis]
    # A pixel's centre, in halves of the small image's pixels, times the size.
    twice = (2 * ops.arange(size, dtype="int32") + 1) * small - size
    first = twice // (2 * size)
    fraction = _divide(twice - first * 2 * size, 2 * size)
    taps = ops.arange(2, dtype="int32")[:, None]
    return _weighted(image, first + taps, ops.stack([1 - fraction, fraction]), axis)


def _weighted(image: Any, index: Any, weight: Any, axis: int) -> Any:
    """Sum weighted pixels along an axis; index and weight are (pixels in a sum, sums)."""
    index = ops.clip(index, 0, ops.shape(image)[axis] - 1)
    pixels = ops.cast(ops.take(image, index, axis=axis), "float32")
    for _ in range(3 - axis):
        weight = weight[..., None]
    return ops.sum(pixels * weight, axis=axis)


def _divide(part: Any, whole: Any) -> Any:
    return ops.cast(part, "float32") / ops.cast(whole, "float32")
