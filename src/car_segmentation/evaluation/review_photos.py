"""Signals of many photos: of validation photos, and of a folder of predictions."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_segmentation.core.errors import UserError
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.data.pairing import car_of, view_of
from car_segmentation.evaluation.review_signals import (
    VIEW_FLOORS,
    doubt_signals,
    mask_signals,
    view_outliers,
)
from car_segmentation.evaluation.scores import dice
from car_segmentation.prediction.photo_files import (
    MASKS,
    PROBABILITY_MAPS,
    output_file,
    read_probability_map,
)
from car_segmentation.prediction.segmenter import Segmenter, to_native_size


def signals_of_stack(
    probabilities: ImageStack, photos: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Measure the signals of photos from their probability maps.

    Args:
        probabilities: Of at least these photos.
        photos: Columns ``photo_id``, ``car``, ``view``, ``height``, ``width``.
        threshold: Probability from which a pixel is car.

    Returns:
        A row per photo: ``photo_id``, ``car``, ``view`` and the signals.
    """

    def measure(item: tuple[int, Any]) -> dict[str, float]:
        row, photo = item
        probability = to_native_size(probabilities.image(row), photo.height, photo.width)
        mask = probability >= threshold
        return mask_signals(mask) | doubt_signals(probability, mask)

    rows = probabilities.rows_of(photos["photo_id"].tolist())
    items = zip(rows, photos.itertuples(), strict=True)
    signals = map_photos(measure, items, len(photos), "signals", workers="threads")
    return _with_views(photos[["photo_id", "car", "view"]], signals)


def signals_of_folder(
    folder: Path, predictions: pd.DataFrame, name_pattern: str | None
) -> pd.DataFrame:
    """Measure the signals of predicted photos; those without a mask have none.

    Args:
        folder: Of the predictions. Doubt is measured where there are probability maps; without,
            the expected Dice is that of the table.
        predictions: Its table; see `prediction.photo_record`.
        name_pattern: Which car and view a photo shows; see `data.pairing`.

    Returns:
        A row per photo: ``photo``, ``car``, ``view``, ``warnings`` and the signals.
    """
    measure = partial(_measure_in_folder, folder)
    rows = map_photos(
        measure, predictions.itertuples(), len(predictions), "signals", workers="threads"
    )
    photos = predictions[["photo", "warnings"]].assign(
        car=[car_of(photo, name_pattern) for photo in predictions["photo"]],
        view=[view_of(photo, name_pattern) for photo in predictions["photo"]],
    )
    return _with_views(photos, rows)


def _measure_in_folder(folder: Path, photo: Any) -> dict[str, float]:
    if pd.isna(photo.height):
        return {}
    path = output_file(folder, MASKS, photo.photo)
    if not path.is_file():
        raise UserError(f"{path} is missing: run the inference again, which writes it.")
    mask = read_mask(path)
    expected = {"expected_error": 1 - photo.confidence}
    probability = read_probability_map(output_file(folder, PROBABILITY_MAPS, photo.photo))
    return mask_signals(mask) | (
        expected if probability is None else doubt_signals(probability, mask)
    )


def mirror_errors(
    segmenter: Segmenter, photos: Sequence[Path], masks: Iterable[np.ndarray]
) -> list[float]:
    """How much of each mask changes when its photo is mirrored.

    Args:
        segmenter: What made the masks.
        photos: Their files.
        masks: Bool (height, width), at native size.

    Returns:
        1 − the Dice of each mask with that of the mirrored photo, mirrored back.
    """
    mirrored = (_mirrored(read_photo(photo)) for photo in photos)
    maps = tqdm(segmenter.probabilities(mirrored), "predict mirrored", len(photos), unit="photo")
    return [
        1 - dice(_mirrored(probability) >= segmenter.threshold, mask)
        for probability, mask in zip(maps, masks, strict=True)
    ]


def _mirrored(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[:, ::-1])


def _with_views(photos: pd.DataFrame, rows: list[dict[str, float]]) -> pd.DataFrame:
    # Without a photo that has a mask there are no columns.
    signals = pd.DataFrame(rows, index=photos.index, dtype=float)
    missing = {name: np.nan for name in (*VIEW_FLOORS, "pieces") if name not in signals}
    table = photos.join(signals.assign(**missing))
    return table.assign(view_outlier=view_outliers(table))
