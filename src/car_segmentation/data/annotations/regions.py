"""Annotation of one photo, independent of its format, and the mask that follows from it.

Every reader of a format turns what it finds into these: a `Region` for each object, with the class
that it belongs to and a shape that knows how to cover pixels. A shape is drawn when the mask is
asked for, so that a thousand annotated photos cost the memory of their outlines.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from car_segmentation.data.annotations.shapes import Shape, Unreadable, paint
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.masks import BACKGROUND, FOREGROUND, IGNORED


class Label(NamedTuple):
    """A class as the format names it, and its number where there is one."""

    name: str
    number: int | None = None


class Region(NamedTuple):
    """An object on a photo."""

    label: Label
    shape: Shape
    ignored: bool = False
    """True if it marks ignored pixels: COCO's crowds."""
    erases: bool = False
    """True if it removes what is below: LabelMe's ``_background_``."""


class Choice(NamedTuple):
    """Which classes are cut out, and which are neither this nor background.

    Names or numbers; ``foreground`` None for whatever class there is, provided that it is one.
    """

    foreground: tuple[str | float, ...] | None = None
    ignored: tuple[str | float, ...] = ()

    def cuts_out(self, label: Label) -> bool:
        """True if a class is foreground."""
        if self.ignores(label):
            return False
        return self.foreground is None or _is_among(label, self.foreground)

    def ignores(self, label: Label) -> bool:
        """True if a class is ignored."""
        return _is_among(label, self.ignored)


class Found(NamedTuple):
    """Content of a file of annotations, and what in it could not be read."""

    annotations: Sequence["Annotation"]
    problems: Sequence[tuple[Path, str]]


@dataclass(frozen=True)
class Annotation(ABC):
    """Annotation of one photo.

    Attributes:
        names: What the photo may be called, the likeliest first; perhaps with folders, or without
            an extension.
        source: The file that says it.
        annotator: Who drew it, as the tool names people; empty if the file does not say.
        date: When, as the tool writes it; likewise.
    """

    names: tuple[str, ...]
    source: Path
    annotator: str = field(default="", kw_only=True)
    date: str = field(default="", kw_only=True)

    @property
    @abstractmethod
    def labels(self) -> set[Label]:
        """The classes that it may hold."""

    @abstractmethod
    def mask(self, size: tuple[int, int], choice: Choice) -> tuple[np.ndarray, set[Label]]:
        """Draw the mask.

        Args:
            size: The photo's height and width, upright, in pixels.
            choice: What is cut out.

        Returns:
            The mask, uint8 (height, width) of BACKGROUND, IGNORED and FOREGROUND, and the classes
            that were cut out.

        Raises:
            UnusableImage: If something that is cut out cannot be drawn, or the photo had another
                size when it was annotated.
        """


@dataclass(frozen=True)
class DrawnAnnotation(Annotation):
    """Objects by their outlines or run lengths.

    Attributes:
        regions: The objects, the lowest first.
        size: Height and width that the photo had when it was annotated, if known.
        covers: Whether an object hides what lies below it, as the tool's own masks have it.
            Otherwise chosen objects are united, whatever else overlaps them.
    """

    regions: tuple[Region, ...]
    size: tuple[int, int] | None = None
    covers: bool = False

    @property
    def labels(self) -> set[Label]:
        """The classes of its objects."""
        return {region.label for region in self.regions}

    def mask(self, size: tuple[int, int], choice: Choice) -> tuple[np.ndarray, set[Label]]:
        """See `Annotation.mask`."""
        height, width = size
        _refuse_other_size(self.size, size)
        mask = np.full((height, width), BACKGROUND, np.uint8)
        ignored = np.zeros((height, width), bool)
        found = set()
        for region in self.regions:
            is_chosen = choice.cuts_out(region.label) and not region.erases
            is_ignored = choice.ignores(region.label) or (region.ignored and is_chosen)
            if not (is_chosen or is_ignored or region.erases or self.covers):
                continue
            try:
                patch = region.shape.patch(height, width)
            except ValueError as error:
                if not (is_chosen or is_ignored):
                    continue
                raise UnusableImage(
                    f"has an object '{region.label.name}' that cannot be drawn: {error}"
                ) from error
            if is_ignored:
                paint(ignored, patch, True)
            else:
                paint(mask, patch, FOREGROUND if is_chosen else BACKGROUND)
                found |= {region.label} if is_chosen else set()
        mask[ignored & (mask == BACKGROUND)] = IGNORED
        return mask, found


def region_or_reason(label: Label, read: Any, raw: Mapping[str, Any], **properties: bool) -> Region:
    """A region whose shape ``read`` makes of raw data, or `Unreadable` with the reason."""
    try:
        shape = read(raw)
    except ValueError as error:
        shape = Unreadable(str(error))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        shape = Unreadable(f"its data is not as expected ({type(error).__name__}: {error})")
    return Region(label, shape, **properties)


def _is_among(label: Label, chosen: Iterable[str | float]) -> bool:
    return any(it in (label.name, label.number) or str(it) == label.name for it in chosen)


def _refuse_other_size(stated: tuple[int, int] | None, photo: tuple[int, int]) -> None:
    if stated is not None and stated != photo:
        turned = stated == photo[::-1]
        raise UnusableImage(
            f"was annotated at {stated[1]}×{stated[0]} pixels, and the photo is "
            f"{photo[1]}×{photo[0]}"
            + (": was it annotated without regard to its EXIF orientation?" if turned else "")
        )
