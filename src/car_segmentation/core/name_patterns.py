"""Patterns of names: regular expressions, and templates of paths such as ``{car}/{view}.*``.

In a template, ``{car}`` stands for a part of a path without a ``/``, ``{photo}`` for a photo's
whole path without its extension, and ``*`` for anything within a folder. Other names are as good as
``car`` and ``view``: they tell which mask belongs to which photo.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import PurePath

_HAS_EXTENSION = re.compile(r"\.(\*|[A-Za-z]{3,4})$")
_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A template or a regular expression, as a regular expression whose groups are its fields.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> compile_pattern("{car}/masks/{view}.*").match("chair/masks/front.png").groupdict()
        {'car': 'chair', 'view': 'front'}
    """
    try:
        if not is_template(pattern):
            return re.compile(pattern)
        parts, seen = [], set()
        for number, part in enumerate(_FIELD.split(pattern)):
            if number % 2 == 0:
                parts.append("[^/]*".join(map(re.escape, part.split("*"))))
            elif part in seen:
                parts.append(f"(?P={part})")
            else:
                seen.add(part)
                parts.append(f"(?P<{part}>{'.+' if part == 'photo' else '[^/]+'})")
        return re.compile(f"^{''.join(parts)}$")
    except re.error as error:
        raise ValueError(f"is not a valid pattern ({error})") from error


def is_template(pattern: str) -> bool:
    """True if a pattern is a template, not a regular expression."""
    return "(?P<" not in pattern and (_FIELD.search(pattern) is not None or "*" in pattern)


def fields_of(path: str, pattern: str) -> dict[str, str] | None:
    """Fields of a pattern in a path; None if the path does not match.

    A template is compared with the path, without its extension if the template has none. A regular
    expression is searched in the path without extension, and else in the file's name alone.

    Args:
        path: Relative to its folder, with ``/``.
        pattern: See `compile_pattern`.
    """
    compiled = compile_pattern(pattern)
    stem = without_extension(path)
    if not is_template(pattern):
        candidates = [stem, stem.rpartition("/")[2]]
    else:
        candidates = [path if _HAS_EXTENSION.search(pattern) else stem]
    for candidate in candidates:
        match = compiled.search(candidate)
        if match is not None:
            return {name: value for name, value in match.groupdict().items() if value}
    return None


def without_extension(path: str) -> str:
    """A path without the extension of its file.

    Example:
        >>> without_extension("a.b/c.d.png")
        'a.b/c.d'
    """
    return path[: len(path) - len(PurePath(path).suffix)]


def suggest_patterns(photos: Collection[str], masks: Collection[str]) -> tuple[str, str] | None:
    """Templates that pair photos with masks of other names, where a beginning and an end differ.

    Args:
        photos: Paths without extension.
        masks: The same.

    Returns:
        Templates of photos and of masks; None if they would not pair most of them.

    Example:
        >>> suggest_patterns({"image_001", "image_002"}, {"mask_001", "mask_002"})
        ('image_{number}', 'mask_{number}')
    """
    if min(len(photos), len(masks)) < 2:
        return None
    sides = []
    for names in (photos, masks):
        start = _common_start(names)
        end = _common_start([name[len(start) :][::-1] for name in names])[::-1]
        # Numbers that begin or end alike are numbers still.
        start = start.rstrip("0123456789")
        end = re.sub(r"^[0-9]+", "", end)
        sides.append((start, end, {name[len(start) : len(name) - len(end)] for name in names}))
    (photo_start, photo_end, in_photos), (mask_start, mask_end, in_masks) = sides
    is_same = (photo_start, photo_end) == (mask_start, mask_end)
    if is_same or len(in_photos & in_masks) < max(len(photos), len(masks)) / 2:
        return None
    return f"{photo_start}{{number}}{photo_end}", f"{mask_start}{{number}}{mask_end}"


def _common_start(names: Collection[str]) -> str:
    first, last = min(names), max(names)
    pairs = zip(first, last, strict=False)
    return first[: next((at for at, (a, b) in enumerate(pairs) if a != b), len(first))]
