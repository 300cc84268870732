"""Pictures whose colours or numbers are classes, one for each photo.

Pascal VOC's folders, and CVAT's "Segmentation mask 1.1", which has them and a ``labelmap.txt``.
A palette's indices are the numbers of classes, and its colours, as an RGB picture's, their names:
by ``labelmap.txt``, or else by the colours that VOC gave its 20 classes. Number 0 and the name
``background`` are the background; number 255, the name ``void`` and VOC's cream-coloured border are
ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from car_segmentation.data.annotations.regions import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Annotation,
    Choice,
    Found,
    Label,
)
from car_segmentation.data.image_files import UnusableImage, open_image
from car_segmentation.data.label_map import LABEL_MAP, Colour, read_label_map, voc_colour

CLASSES, OBJECTS = "SegmentationClass", "SegmentationObject"
"""VOC's folders: pictures of classes, and of a number for each object."""
VOID_NUMBER = 255
VOID_NAMES = frozenset({"void", "ignore", "ignored", "__ignore__"})
BACKGROUND_NAMES = frozenset({"background", "_background_"})

VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)


VOC_NAMES: Mapping[Colour, str] = {
    **{voc_colour(number): name for number, name in enumerate(VOC_CLASSES)},
    voc_colour(VOID_NUMBER): "void",
}


@dataclass(frozen=True)
class ClassPicture(Annotation):
    """A picture of classes; it does not say who made it.

    Attributes:
        colours: Names of classes by colour.
        objects: Whether its numbers tell objects apart, not classes.
    """

    colours: Mapping[Colour, str] = field(repr=False)
    objects: bool = False

    @property
    def labels(self) -> set[Label]:
        """The classes that have a colour."""
        return {Label(name) for name in self.colours.values()}

    def mask(self, size: tuple[int, int], choice: Choice) -> tuple[np.ndarray, set[Label]]:
        """See `regions.Annotation.mask`."""
        numbers, labels = self._read(size)
        values = np.full(max(labels, default=0) + 1, BACKGROUND, np.uint8)
        found = set()
        for number, label in labels.items():
            if label.name in VOID_NAMES or choice.ignores(label):
                values[number] = IGNORED
            elif label.name not in BACKGROUND_NAMES and choice.cuts_out(label):
                values[number] = FOREGROUND
                found.add(label)
        return values[numbers], found

    def _read(self, size: tuple[int, int]) -> tuple[np.ndarray, dict[int, Label]]:
        """A number for each pixel, and what the numbers stand for."""
        opened = open_image(self.source)
        width, height = opened.header.size
        if opened.format != "PNG":
            raise UnusableImage(f"is a {opened.format}, not a PNG")
        if (height, width) != size:
            raise UnusableImage(f"is {width}×{height} pixels, and the photo is {size[1]}×{size[0]}")
        picture = opened.upright()
        if picture.mode == "P":
            numbers = np.asarray(picture)
            palette = np.asarray(picture.getpalette("RGB"), int).reshape(-1, 3).tolist()
            return numbers, {
                number: self._label(number, tuple(palette[number]))
                for number in _present(numbers)
                if number < len(palette)
            }
        if picture.mode in {"L", "1", "I;16", "I"}:
            numbers = np.asarray(picture).astype(np.int64)
            names = list(self.colours.values()) if self._has_label_map else VOC_CLASSES
            return numbers, {
                number: self._numbered(number, names[number] if number < len(names) else None)
                for number in _present(numbers)
            }
        return self._read_colours(np.asarray(picture.convert("RGB")))

    def _read_colours(self, pixels: np.ndarray) -> tuple[np.ndarray, dict[int, Label]]:
        packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        colours, numbers = np.unique(packed, return_inverse=True)
        labels = {}
        for place, colour in enumerate(colours.tolist()):
            rgb = (colour >> 16, colour >> 8 & 255, colour & 255)
            if rgb not in self.colours and rgb != (0, 0, 0):
                raise UnusableImage(
                    f"contains a colour that is not a known class: {rgb}"
                    + ("" if self._has_label_map else f" (a {LABEL_MAP} would say which it is)")
                )
            labels[place] = Label(self.colours.get(rgb, "background"))
        return numbers.reshape(pixels.shape[:2]), labels

    @property
    def _has_label_map(self) -> bool:
        return self.colours is not VOC_NAMES

    def _label(self, number: int, colour: tuple[int, ...]) -> Label:
        red, green, blue = colour
        return self._numbered(number, self.colours.get((red, green, blue)))

    def _numbered(self, number: int, name: str | None) -> Label:
        if number == 0 and name is None:
            name = "background"
        if number == VOID_NUMBER and (name is None or not self._has_label_map):
            name = "void"
        if self.objects and name not in VOID_NAMES and number:
            name = "object"
        return Label(name or f"class {number}", None if self.objects else number)


def read_class_pictures(folder: Path) -> Found:
    """The pictures of classes in a folder of VOC's layout, or else those of objects."""
    annotations, problems = [], []
    for place in picture_folders(folder):
        label_maps = [it / LABEL_MAP for it in (place, place.parent) if (it / LABEL_MAP).is_file()]
        colours = read_label_map(label_maps[0]) if label_maps else VOC_NAMES
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() == ".png":
                name = path.relative_to(place).with_suffix("").as_posix()
                annotations.append(ClassPicture((name,), path, colours, place.name == OBJECTS))
            elif path.is_file() and path.name != LABEL_MAP and not path.name.startswith("."):
                problems.append((path, "is not a PNG: JPEGs blur the borders of classes"))
    return Found(annotations, problems)


def picture_folders(folder: Path) -> list[Path]:
    """VOC's folders of class pictures in a folder, itself included; or else those of objects."""
    for name in (CLASSES, OBJECTS):
        places = [it for it in (folder, *sorted(folder.rglob(name))) if it.name == name]
        if places:
            return places
    return [folder] if (folder / LABEL_MAP).is_file() else []


def _present(numbers: np.ndarray) -> list[int]:
    return np.flatnonzero(np.bincount(numbers.ravel())).tolist()
