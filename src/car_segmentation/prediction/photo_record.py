"""Record of a predicted photo: a row of ``predictions.csv``."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from car_segmentation.core.files import atomic_file

DISTORTION = 1.25
"""Largest ratio of a photo's proportions to the network's without a warning."""


@dataclass(frozen=True)
class PhotoRecord:
    """Record of one predicted photo.

    Attributes:
        photo: The photo's file name.
        height: Native height in pixels; None, as all numbers are, for a photo without a mask.
        width: Native width in pixels.
        foreground_share: Fraction of the photo that is car, 0 to 1.
        seconds: What reading, predicting (its part of the batch) and writing took.
        confidence: The Dice that the model itself expects of its mask, 0 to 1.
        warnings: What to look at, or why the photo has no mask; separated by semicolons.
    """

    photo: str
    height: int | None = None
    width: int | None = None
    foreground_share: float | None = None
    seconds: float | None = None
    confidence: float | None = None
    warnings: str = ""


def write_table(path: Path, records: Iterable[PhotoRecord]) -> None:
    """Write records as a CSV file, UTF-8, in one step; see `core.tables` on names like formulas."""
    # With it comes pandas, which a command for one photo has no use for.
    from car_segmentation.core.tables import escape_formula

    write_rows(
        path,
        ({name: escape_formula(cell) for name, cell in vars(record).items()} for record in records),
    )


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], writer: str = "") -> None:
    """Write what are the rows of such a file already; `writer` as for `atomic_file`."""
    with (
        atomic_file(path, writer) as part,
        # Names that are not UTF-8 are written as the bytes that they are.
        part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.DictWriter(file, list(PhotoRecord.__dataclass_fields__), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def expected_dice(probability: np.ndarray, mask: np.ndarray) -> float:
    """The Dice that a model expects of its mask, if its probabilities are right.

    Args:
        probability: float32 (height, width), 0 to 1.
        mask: bool (height, width).

    Returns:
        Twice the probability inside the mask, by the mask's area and all probability; 0 to 1,
        and 0 for an empty mask.
    """
    area = np.count_nonzero(mask)
    if area == 0:
        return 0.0
    inside = cv2.mean(probability, mask.view(np.uint8))[0] * area
    return 2 * inside / (area + cv2.sumElems(probability)[0])


def mask_warnings(
    mask: np.ndarray, native_shape: tuple[int, int], network_shape: tuple[int, int]
) -> str:
    """Warnings on a photo, separated by semicolons; empty where nothing is unusual.

    Args:
        mask: bool (height, width).
        native_shape: Height and width of the photo.
        network_shape: Height and width that the network sees.
    """
    (height, width), (network_height, network_width) = native_shape, network_shape
    stretch = (width / height) / (network_width / network_height)
    is_distorted = max(stretch, 1 / stretch) > DISTORTION
    is_smaller = height < network_height and width < network_width
    seen = f"{network_width}×{network_height}"
    warnings = {
        "no object was found": not mask.any(),
        "the mask touches the photo's border": bool(mask[[0, -1]].any() or mask[:, [0, -1]].any()),
        f"the photo is smaller than the network's input ({seen})": is_smaller,
        f"the network sees the photo distorted ({seen})": is_distorted,
    }
    return "; ".join(warning for warning, holds in warnings.items() if holds)
