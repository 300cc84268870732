"""Masks that people have drawn or corrected, which take the place of those in files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from car_segmentation.data.annotations import (
    Annotation,
    Choice,
    draw_masks,
    match_photos,
    read_annotations,
)
from car_segmentation.data.corrections import corrected_masks
from car_segmentation.parameters import AnnotationFormat, Checks, Masks

logger = logging.getLogger(__name__)

DRAWN_COLUMNS = ["path", "mask_path", "reason"]
"""A photo and its mask, or a photo or file of annotations and why there is none."""


def draw_annotations(
    photo_files: Sequence[Path],
    raw_data: str,
    photo_folder: str,
    annotations: Any,  # A path, several, or None: Kedro warns of a union of these.
    annotation_format: AnnotationFormat,
    corrections: str,
    masks: dict[str, Any],
    checks: dict[str, Any],
    annotated_masks_folder: Path,
) -> pd.DataFrame:
    """Draw the masks of annotated photos, and find those that people have corrected."""
    raw = Path(raw_data).absolute()  # As Kedro makes the paths of the catalog.
    by_photo: dict[Path, Annotation] = {}
    problems: list[tuple[Path, str]] = []
    sources = [annotations] if isinstance(annotations, str) else annotations or []
    for source in sources:
        found = read_annotations(raw / source, annotation_format)
        matched = match_photos(found.annotations, photo_files)
        by_photo |= matched.by_photo
        problems += [*found.problems, *matched.problems]
    corrected = corrected_masks(raw / corrections, raw / photo_folder, photo_files)
    drawn_masks: dict[Path, Path] = {}
    if sources:
        drawn = draw_masks(
            by_photo,
            raw / photo_folder,
            annotated_masks_folder,
            _choice_of(Masks(**masks)),
            Checks(**checks).max_megapixels,
        )
        logger.info("annotations of %d photos were drawn", len(drawn.masks))
        drawn_masks, problems = drawn.masks, [*problems, *drawn.problems]
    if corrected.by_photo:
        logger.info("%d masks are corrected ones, of %s", len(corrected.by_photo), corrections)
    problems = [it for it in problems if it[0] not in corrected.by_photo] + corrected.problems
    masks_of = drawn_masks | corrected.by_photo
    rows = [(str(photo), str(mask), "") for photo, mask in masks_of.items()]
    rows += [(str(path), "", reason) for path, reason in problems]
    return pd.DataFrame(rows, columns=DRAWN_COLUMNS)


def _choice_of(masks: Masks) -> Choice:
    """The classes that parameters name; those of pictures (bright, colours) are none."""
    named = masks.foreground if isinstance(masks.foreground, tuple) else None
    return Choice(named, masks.ignore)
