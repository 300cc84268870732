"""The page of the review queue: each mask on its photo, why it is there, and what is decided."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pandas as pd
from markupsafe import Markup

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.name_patterns import without_extension
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.encoding import encode_picture, narrowed
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.review_queue import ReviewModel
from car_segmentation.prediction.photo_files import MASKS, output_file
from car_segmentation.report.colours import rgb
from car_segmentation.report.error_maps import outlined
from car_segmentation.report.html import (
    JPEG_QUALITY,
    Section,
    asset,
    for_script,
    macros,
    numbers,
    render_page,
)

THUMBNAILS = "review_thumbnails"
THUMBNAIL_WIDTH = 640
"""Pixels; narrower photos keep their size."""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture beside the page.

    Attributes:
        path: Relative to the page.
        width: Pixels.
        height: Pixels.
    """

    path: str
    width: int
    height: int


def thumbnail(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A small photo with the outline of its mask.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: bool (height, width).

    Returns:
        uint8 RGB, at most `THUMBNAIL_WIDTH` wide.
    """
    area = narrowed(mask.view(np.uint8) * np.uint8(255), THUMBNAIL_WIDTH)
    return outlined(narrowed(photo, THUMBNAIL_WIDTH), area >= 128, rgb("outline"))


def write_thumbnails(
    queue: pd.DataFrame, photos: Path, predictions: Path
) -> list[Thumbnail | None]:
    """Write a thumbnail of each photo of a queue; None for photos without a mask.

    Args:
        queue: Columns ``photo`` and ``expected_dice``.
        photos: The folder of photos.
        predictions: The folder of predictions, in which `THUMBNAILS` is made.

    Raises:
        UserError: If a photo is not there, or can no longer be read.
    """
    write = partial(_write_thumbnail, photos, predictions)
    named = list(zip(queue["photo"], queue["expected_dice"].notna(), strict=True))
    return map_photos(write, named, len(queue), "thumbnails", workers="threads")


def _write_thumbnail(photos: Path, predictions: Path, photo: tuple[str, bool]) -> Thumbnail | None:
    name, has_mask = photo
    if not has_mask:
        return None
    source = photos / name
    if not source.is_file():
        raise UserError(
            f"{source} is missing: name the photos that were predicted (--params=photos=FOLDER)."
        )
    picture = thumbnail(read_photo(source), read_mask(output_file(predictions, MASKS, name)))
    relative = f"{THUMBNAILS}/{without_extension(name)}.jpg"
    jpeg = encode_picture(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with atomic_file(predictions / relative) as part:
        part.write_bytes(jpeg)
    height, width = picture.shape[:2]
    return Thumbnail(quote(os.fsencode(relative)), width, height)


def review_page(queue: pd.DataFrame, thumbnails: list[Thumbnail | None], model: ReviewModel) -> str:
    """Put the page together, as HTML.

    Args:
        queue: As of `review_queue.rank_photos`.
        thumbnails: Of its rows.
        model: What it was made by.
    """
    parts = macros("review.html.j2")
    names = queue["photo"].tolist()
    # Decisions are kept for these masks, and not for later ones of the same photos.
    state = json.dumps([names, queue["expected_dice"].round(6).astype(str).tolist()])
    tiles = [
        ("Photos", f"{len(queue):,}", ""),
        ("Dice to expect, median", f"{queue['expected_dice'].median():.4f}", ""),
        *(
            (
                f"First {part} %",
                f"{max(1, round(part / 100 * len(queue))):,} photos",
                f"{model.budget[part - 1]:.0%} of the worst tenth, on validation photos",
            )
            for part in (10, 20)
        ),
    ]
    points = [
        (percent, 100 - round(100 * found, 1)) for percent, found in enumerate(model.budget, 1)
    ]
    return render_page(
        "Which masks need a look",
        "The masks that are most likely wrong come first. Decisions are kept in this browser; "
        "download them to keep them in a file.",
        [
            Section("How many to look at", [numbers(tiles), parts.budget(points)]),
            Section(
                "The queue",
                [
                    parts.queue(
                        list(_rows(queue, thumbnails)),
                        Markup(for_script(json.dumps(names))),
                        hashlib.sha256(state.encode()).hexdigest()[:16],
                        Markup(asset("review.css")),
                        Markup(asset("review.js")),
                    )
                ],
            ),
        ],
    )


def _rows(queue: pd.DataFrame, thumbnails: list[Thumbnail | None]) -> Iterator[dict[Any, Any]]:
    for row, picture in zip(queue.to_dict("records"), thumbnails, strict=True):
        dice = "no mask"
        if pd.notna(row["expected_dice"]):
            dice = (
                f"Dice to expect {row['expected_dice']:.4f} "
                f"({row['lower']:.4f} to {row['upper']:.4f})"
            )
        yield row | {"dice": dice, "thumbnail": picture}
