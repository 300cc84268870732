"""Masks of annotated photos, drawn once into a folder; all that follows reads them as files."""

import os
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_folder
from car_segmentation.core.parallel import map_photos
from car_segmentation.core.pixel_budget import shared_pixels
from car_segmentation.data.annotations.regions import Annotation, Choice, Label
from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from car_segmentation.data.masks import FOREGROUND, IGNORED, Mask, encode_mask

NOTHING_CUT_OUT = "is annotated, but shows nothing that is cut out"
"""Why an annotated photo is not used where that may be right: no loss."""


class DrawnMasks(NamedTuple):
    """Results of drawing the annotated photos."""

    masks: dict[Path, Path]
    """The file of each photo's mask."""
    problems: list[tuple[Path, str]]
    """Photos that have none, and why."""


def draw_masks(
    annotations: Mapping[Path, Annotation],
    photo_folder: Path,
    folder: Path,
    choice: Choice,
    max_megapixels: float,
) -> DrawnMasks:
    """Draw the mask of every annotated photo at its native size.

    Photos are drawn in processes, as many at a time as `shared_pixels` lets, so that memory grows
    neither with their number nor with their size.

    Args:
        annotations: By photo.
        photo_folder: What photos' names are relative to.
        folder: Where masks go: ``a.jpg.png`` is of ``a.jpg``. What is there is replaced in one
            step.
        choice: Which classes are cut out.
        max_megapixels: Larger photos are refused.

    Raises:
        UserError: If there are several classes and none is chosen, or none of those chosen.
    """
    names = {photo: f"{os.path.relpath(photo, photo_folder)}.png" for photo in annotations}
    with atomic_folder(folder) as part:
        results = map_photos(
            partial(draw_mask, choice=choice, max_megapixels=max_megapixels),
            ((photo, annotations[photo], part / name) for photo, name in names.items()),
            total=len(names),
            description="draw annotations",
        )
        outcomes = dict(zip(annotations, results, strict=True))
        _check_choice(choice, annotations, results)
    return DrawnMasks(
        {photo: folder / names[photo] for photo, it in outcomes.items() if not isinstance(it, str)},
        [(photo, it) for photo, it in outcomes.items() if isinstance(it, str)],
    )


def draw_mask(
    item: tuple[Path, Annotation, Path], choice: Choice, max_megapixels: float
) -> frozenset[Label] | str:
    """Write the mask of a photo, and return the classes on it, or why there is none.

    Args:
        item: The photo, its annotation, and the file of the mask.
        choice: See `draw_masks`.
        max_megapixels: See `draw_masks`.
    """
    photo, annotation, file = item
    try:
        image = open_image(photo, Limits(max_megapixels))
        with shared_pixels(image.pixel_count):
            return _draw_one(image.check(), annotation, file, choice)
    except UnusableImage as problem:
        return str(problem)


def _draw_one(
    size: tuple[int, int], annotation: Annotation, file: Path, choice: Choice
) -> frozenset[Label] | str:
    try:
        values, labels = annotation.mask(size, choice)
    except UnusableImage as problem:
        return f"its annotation {annotation.source.name} {problem}"
    foreground, ignored = values == FOREGROUND, values == IGNORED
    if not foreground.any():
        return NOTHING_CUT_OUT
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_mask(Mask(foreground, ignored if ignored.any() else None)))
    return frozenset(labels)


def _check_choice(
    choice: Choice,
    annotations: Mapping[Path, Annotation],
    outcomes: list[frozenset[Label] | str],
) -> None:
    """Refuse a choice that nobody made, or that no annotation knows."""
    found = Counter(label.name for it in outcomes if not isinstance(it, str) for label in it)
    if choice.foreground is None and len(found) > 1:
        listed = ", ".join(f"{name} (on {number} photos)" for name, number in found.most_common())
        raise UserError(
            f"The annotations have several classes: {listed}. Choose which to segment, by names or "
            f"numbers: masks.foreground: [{found.most_common(1)[0][0]}]"
        )
    if choice.foreground is not None and annotations and not found:
        known = sorted({label.name for it in annotations.values() for label in it.labels})
        raise UserError(
            f"No annotated photo shows {' or '.join(map(repr, choice.foreground))} "
            f"(masks.foreground). The annotations have: {', '.join(known) or 'no classes at all'}."
        )
