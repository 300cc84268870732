"""Which annotation belongs to which photo, by name."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from car_segmentation.data.annotations.regions import Annotation
from car_segmentation.data.images import PHOTO_SUFFIXES


class Matched(NamedTuple):
    """Photos with their annotations, and what has no partner."""

    by_photo: dict[Path, Annotation]
    problems: list[tuple[Path, str]]


def match_photos(annotations: Iterable[Annotation], photos: Sequence[Path]) -> Matched:
    """Give each photo its annotation.

    Names are compared without extension, from the file name upwards: among photos of the same name
    the one whose folders agree furthest is meant. If a name is not found as it is, it is taken for
    one that Label Studio gave an uploaded file: eight hexadecimal digits before it, blanks as
    underscores, no brackets.

    Args:
        annotations: What was read.
        photos: Files of the photo folder.
    """
    exact, stored = _by_name(photos, str), _by_name(photos, _as_stored)
    taken: dict[Path, list[Annotation]] = {}
    problems = []
    for annotation in annotations:
        candidates: list[Path] = []
        for name in annotation.names:
            trail = _trail(name.replace("\\", "/"))
            if trail:
                candidates = exact.get(trail[0]) or stored.get(_without_prefix(trail[0]), [])
                candidates = _closest(candidates, trail)
            if candidates:
                break
        named = f"'{annotation.names[0]}'" if annotation.names else "a photo without a name"
        if not candidates:
            problems.append(
                (annotation.source, f"annotates {named}, which is not among the photos")
            )
        elif len(candidates) > 1:
            several = ", ".join(map(str, candidates[:3]))
            problems.append((annotation.source, f"annotates {named}, which may be {several}"))
        else:
            taken.setdefault(candidates[0], []).append(annotation)
    by_photo = {}
    for photo, of_photo in taken.items():
        if len(of_photo) == 1:
            by_photo[photo] = of_photo[0]
        else:
            sources = sorted({str(it.source) for it in of_photo})
            problems.append(
                (photo, f"is annotated {len(of_photo)} times ({', '.join(sources[:3])})")
            )
    return Matched(by_photo, problems)


def _by_name(photos: Sequence[Path], spelling: Callable[[str], str]) -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = {}
    for photo in photos:
        named.setdefault(spelling(_trail(photo.as_posix())[0]), []).append(photo)
    return named


def _trail(name: str) -> list[str]:
    """A path's parts from the last to the first, the file name without its extension."""
    path = PurePosixPath(unicodedata.normalize("NFC", name))
    # Of names without an extension, such as YOLO's, the end after a dot is a part.
    has_extension = path.suffix.lower() in PHOTO_SUFFIXES
    parts = (path.with_suffix("") if has_extension else path).parts
    return [part for part in reversed(parts) if part != "/"]


def _closest(photos: Sequence[Path], trail: Sequence[str]) -> list[Path]:
    """The photos whose folders agree furthest with those of a name."""

    def agreement(photo: Path) -> int:
        other = _trail(photo.as_posix())
        pairs = zip(trail, other, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(trail), len(other)))

    longest = max(map(agreement, photos), default=0)
    return [photo for photo in photos if agreement(photo) == longest]


def _without_prefix(name: str) -> str:
    return re.sub(r"^[0-9a-f]{8}-", "", _as_stored(name))


def _as_stored(name: str) -> str:
    """A name as Django's storages spell it (django.utils.text.get_valid_filename)."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
