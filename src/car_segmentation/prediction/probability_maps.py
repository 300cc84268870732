"""Probability maps of the photos of a photo table, kept in a stack, and the masks they come to."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.core.parallel import map_bounded
from car_segmentation.data.image_stack import ImageStack, new_stack, read_stack
from car_segmentation.data.images import read_photo
from car_segmentation.prediction.segmenter import Segmenter, to_native_size

AHEAD = 2
"""Photos that are read ahead where they are predicted at native size."""


def predict_photos(
    segmenter: Segmenter, photos: ImageStack, photo_table: pd.DataFrame
) -> Iterator[np.ndarray]:
    """Predict the photos of a table in batches.

    Args:
        segmenter: What predicts them.
        photos: The resized photos, of at least those of the table. Where photos are predicted at
            native size, their files are read instead.
        photo_table: Columns ``photo_id`` and ``photo_path``, a row per photo.

    Yields:
        The probability map of each photo, float16 (height, width), in the size that was predicted.
    """
    with tqdm(total=len(photo_table), desc="predict", unit="photo") as progress:
        for batch in _batches(segmenter, photos, photo_table):
            for probability in segmenter.predict_batch(batch):
                yield probability
                progress.update()


def _batches(
    segmenter: Segmenter, photos: ImageStack, photo_table: pd.DataFrame
) -> Iterator[np.ndarray]:
    if segmenter.input_size is None:
        paths = map(Path, photo_table["photo_path"])
        yield from (photo[np.newaxis] for photo in map_bounded(read_photo, paths, AHEAD))
    else:
        rows = photos.rows_of(photo_table["photo_id"].tolist())
        yield from (photos.pixels[chunk] for chunk in in_chunks(rows, segmenter.photos_at_a_time))


def write_probability_maps(
    folder: Path, segmenter: Segmenter, photos: ImageStack, photo_table: pd.DataFrame
) -> ImageStack:
    """Make a stack of the probability maps of photos, float16 (height, width), 0 to 1.

    Maps of native size may be of several sizes: a note on each has its ``size``, and those that are
    smaller than the largest are filled up with 0.

    Args:
        folder: Where to.
        segmenter: What predicts them.
        photos: See `predict_photos`.
        photo_table: Columns ``photo_id``, ``photo_path``, and ``height`` and ``width``, the native
            size in pixels.
    """
    ids = photo_table["photo_id"].tolist()
    at_native_size = segmenter.input_size is None
    height, width = segmenter.input_size or (
        int(photo_table["height"].max()),
        int(photo_table["width"].max()),
    )
    with new_stack(folder, ids, (height, width), "float16") as writer:
        for row, probability in enumerate(predict_photos(segmenter, photos, photo_table)):
            image = probability
            if at_native_size:
                own_height, own_width = probability.shape
                writer.notes[ids[row]] = {"size": [own_height, own_width]}
                image = np.pad(probability, ((0, height - own_height), (0, width - own_width)))
            writer.checksums[row] = writer.write(row, image)
    return read_stack(folder)


def predicted_mask(
    probability: np.ndarray, native_shape: tuple[int, ...], threshold: float
) -> np.ndarray:
    """The mask at native size, bool (height, width), from a probability map of any size."""
    height, width = native_shape
    return to_native_size(probability, height, width) >= threshold
