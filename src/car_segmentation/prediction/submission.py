"""Masks of photos as run lengths, in one table: Kaggle's submission, and the record of a run."""

import csv
import gzip
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file, read_text_file
from car_segmentation.core.parallel import map_bounded, map_photos
from car_segmentation.core.pixel_budget import Budget
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import read_mask
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.run_lengths import encode_runs

logger = logging.getLogger(__name__)

COLUMNS = ("img", "rle_mask")
AHEAD = 32
"""Masks that are encoded ahead of the one that is written."""


def sample_photos(sample: Path) -> tuple[str, ...]:
    """The photos of a ``sample_submission.csv`` in their order.

    Raises:
        UserError: If the file cannot be read (`files.read_text_file`) or has no column ``img``.
    """
    try:
        rows = csv.DictReader(io.StringIO(read_text_file(sample), newline=""))
        return tuple(row["img"] for row in rows)
    except UserError as error:
        raise UserError(f"inference.sample_submission: {error}") from None
    except csv.Error as error:
        raise UserError(f"inference.sample_submission: {sample}: {error}.") from None
    except KeyError:
        raise UserError(f"inference.sample_submission {sample} has no column 'img'.") from None


def write_submission(path: Path, photos: Sequence[str], masks: Mapping[str, Path]) -> None:
    """Write a gzipped table with a row for each photo, in one step.

    Equal masks make equal files: no time is written into them.

    Args:
        path: Where to.
        photos: File names of photos, in the order of rows.
        masks: The mask file of each photo; a photo without one gets an empty mask.
    """
    missing = [photo for photo in photos if photo not in masks]
    if missing:
        logger.warning(
            "%d of %d photos of the submission have no mask, %s the first: their rows are empty",
            len(missing),
            len(photos),
            missing[0],
        )

    def runs_of(photo: str) -> str:
        return encode_runs(read_mask(masks[photo])) if photo in masks else ""

    runs = tqdm(map_bounded(runs_of, photos, AHEAD), "encode", len(photos), unit="photo")
    with (
        atomic_file(path) as part,
        part.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", errors="surrogateescape", newline="") as text,
    ):
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(zip(photos, runs, strict=True))


def record_name(photo_id: str, photo_path: str) -> str:
    """Name of a photo in `predicted_masks`: its file's name, or its id in a folder."""
    return f"{photo_id}{Path(photo_path).suffix}"


def predicted_masks(
    probabilities: ImageStack, photo_table: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """The predicted masks of photos at native size, a few kilobytes each.

    Args:
        probabilities: Probability maps of at least these photos.
        photo_table: Columns ``photo_id``, ``photo_path``, ``height`` and ``width`` (pixels), a row
            per photo.
        threshold: Probability from which a pixel is car.

    Returns:
        Columns ``img`` (`record_name`) and ``rle_mask``, in the order of the photos.
    """
    rows = probabilities.rows_of(photo_table["photo_id"].tolist())
    budget = Budget()

    def encode(item: tuple[int, Any]) -> tuple[str, str]:
        row, photo = item
        size = (photo.height, photo.width)
        with budget.take(photo.height * photo.width):
            runs = encode_runs(predicted_mask(probabilities.image(row), size, threshold))
        return record_name(photo.photo_id, photo.photo_path), runs

    items = zip(rows, photo_table.itertuples(), strict=True)
    masks = map_photos(encode, items, len(rows), "encode masks", workers="threads")
    return pd.DataFrame(masks, columns=list(COLUMNS))
