"""Pair photos with masks by their names."""

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from car_segmentation.core.name_patterns import (
    compile_pattern,
    fields_of,
    suggest_patterns,
    without_extension,
)
from car_segmentation.core.text import printable
from car_segmentation.data.images import MASK_SUFFIXES, PHOTO_SUFFIXES


class Pair(NamedTuple):
    """A photo and its mask; of several masks, ``mask_path`` is a list in JSON."""

    photo_id: str
    car: str
    view: str
    photo_path: str
    mask_path: str


PAIR_COLUMNS = list(Pair._fields)
REJECTED_COLUMNS = ["path", "reason"]

NOT_ANNOTATED = "has neither an annotation nor a mask"
"""Why a photo is not used that nobody has come to yet: no loss."""
FOLDER_MARK = "__"
"""Replaces the ``/`` of a photo's path in its id: ids are names of files."""
LONGEST_ID = 200
"""Bytes, so that names of results stay within the 255 that file systems allow."""
OTHER_IMAGES = frozenset(
    {".gif", ".svg", ".psd", ".eps", ".ico", ".jp2", ".jxl", ".tga", ".exr", ".dng", ".raf"}
    | {".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ""}
)
"""Extensions of files that somebody may take for photos, though they are not read. Files of other
extensions (sidecars, thumbnails' databases) are skipped."""


class NameRules(NamedTuple):
    """Rules of pairing by names; see `conf/base` and `name_patterns`.

    Attributes:
        name_pattern: Pattern with the fields ``car`` and ``view`` of photos; None: each photo is a
            group of its own, or belongs to that of its folder if it is in one.
        mask_suffix: What a mask's name has after the photo's, if there is no ``mask_pattern``.
        mask_pattern: Pattern of masks' paths, whose fields are also the photo's.
    """

    name_pattern: str | None
    mask_suffix: str = ""
    mask_pattern: str | None = None


class Pairing(NamedTuple):
    """Pairs and other files in the folders of photos and of masks.

    Attributes:
        pairs: Columns `PAIR_COLUMNS`, in order of photo id.
        rejected: Files without a partner: columns `REJECTED_COLUMNS`.
        aside: Files that are not images, which do not count as losses.
        unmatched: Ids of photos that the pattern does not match, and that are in no folder, so that
            each became a car of its own.
        hint: What parameter might pair them, in words; empty if nothing seems to be wrong.
    """

    pairs: pd.DataFrame
    rejected: pd.DataFrame
    aside: list[Path]
    unmatched: list[str]
    hint: str


class NamedFiles(NamedTuple):
    """The files of a folder, told apart by name.

    Attributes:
        images: By path relative to the folder, without extension, in NFC.
        rejected: Files that cannot be used, with the reason.
        aside: Files that are not images.
    """

    images: dict[str, Path]
    rejected: list[tuple[Path, str]]
    aside: list[Path]


def name_files(
    files: Iterable[Path], folder: Path, suffixes: frozenset[str], any_bytes: bool = False
) -> NamedFiles:
    """Tell images from other files, and refuse those whose names cannot be told apart.

    Args:
        files: Files in the folder and in folders inside it.
        folder: What names are relative to.
        suffixes: Extensions that are read, in lower case.
        any_bytes: Whether names may be other than UTF-8.
    """
    by_id: dict[str, list[tuple[str, Path]]] = {}
    rejected, aside = [], []
    for path in files:
        extension = path.suffix.lower()
        if extension not in suffixes and extension not in OTHER_IMAGES:
            aside.append(path)
            continue
        # Some file systems store é as two code points, others as one.
        name = unicodedata.normalize("NFC", without_extension(relative_name(path, folder)))
        if extension not in suffixes:
            rejected.append((path, f"has an extension that is not read: '{path.suffix}'"))
        elif not any_bytes and not _is_text(name):
            rejected.append((path, "has a name that is not UTF-8: rename it"))
        elif len(os.fsencode(as_id(name))) > LONGEST_ID:
            rejected.append((path, f"has a name of more than {LONGEST_ID} bytes: shorten it"))
        else:
            by_id.setdefault(as_id(name), []).append((name, path))
    images: dict[str, Path] = {}
    for found in by_id.values():
        if len(found) == 1:
            images |= dict(found)
        else:
            same = ", ".join(relative_name(path, folder) for _, path in found)
            rejected += [(path, f"has the same id as another file ({same})") for _, path in found]
    return NamedFiles(images, rejected, aside)


def relative_name(path: Path, folder: Path) -> str:
    """A file's path relative to a folder, with ``/``; its name if it is not in the folder."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def as_id(name: str) -> str:
    """The id of the photo of a relative path without extension."""
    return name.replace("/", FOLDER_MARK)


def pair_by_name(
    photo_files: Sequence[Path],
    mask_files: Sequence[Path],
    photo_folder: Path,
    mask_folder: Path,
    rules: NameRules,
    drawn_masks: Mapping[Path, Path] = MappingProxyType({}),
    annotated: bool = False,
) -> Pairing:
    """Pair each photo with the mask, or the masks, that its name says.

    Letter case matters in names and not in extensions.

    Args:
        photo_files: Files of the photo folder, with those of folders inside it.
        mask_files: Files of the mask folder. Of files in both, those whose names are a mask's are
            masks.
        photo_folder: What photos' names are relative to.
        mask_folder: What masks' names are relative to.
        rules: How names tell what belongs together.
        drawn_masks: Masks of photos that were annotated or corrected, which take the place of
            others.
        annotated: Whether there are annotations, perhaps of some photos alone.
    """
    photo_files, mask_files = _separate(photo_files, mask_files, photo_folder, mask_folder, rules)
    photos = name_files(photo_files, photo_folder, PHOTO_SUFFIXES)
    masks = name_files(mask_files, mask_folder, MASK_SUFFIXES)
    fields = {
        name: _fields_of_photo(relative_name(path, photo_folder), name, rules.name_pattern)
        for name, path in photos.images.items()
    }
    masks_of, left_over = _assign(masks.images, mask_folder, fields, rules)
    if rules.mask_pattern is None:
        _take_out_further_masks(masks_of, left_over, masks.images, rules.mask_suffix)
    images = photos.images.items()
    masks_of |= {name: [drawn_masks[path]] for name, path in images if path in drawn_masks}
    bare = NOT_ANNOTATED if annotated else "has no mask"
    without = [(path, bare) for name, path in photos.images.items() if name not in masks_of]
    pairs = [
        Pair(
            as_id(name),
            fields[name].get("car") or _own_group(name),
            fields[name].get("view", ""),
            str(photos.images[name]),
            join_paths(masks_of[name]),
        )
        for name in sorted(masks_of)
    ]
    is_suspicious = rules.mask_pattern is None and len(without) > len(photos.images) / 2
    return Pairing(
        pd.DataFrame(pairs, columns=PAIR_COLUMNS),
        rejected_table([*photos.rejected, *masks.rejected, *left_over.items(), *without]),
        sorted({*photos.aside, *masks.aside}),
        [
            as_id(name)
            for name in sorted(masks_of)
            if rules.name_pattern and "matched" not in fields[name] and "/" not in name
        ],
        _hint(photos.images, masks.images) if is_suspicious and not annotated else "",
    )


def car_of(photo: str, name_pattern: str | None) -> str:
    """The car of a photo, given by its path in its folder; a name of its own without one."""
    name = without_extension(photo)
    return _fields_of_photo(photo, name, name_pattern).get("car") or _own_group(name)


def view_of(photo: str, name_pattern: str | None) -> str:
    """The view of a photo, given by its path in its folder; empty if its name tells none."""
    return _fields_of_photo(photo, without_extension(photo), name_pattern).get("view", "")


def join_paths(paths: Sequence[Path]) -> str:
    """One or several paths as the cell of a table."""
    texts = sorted(map(str, paths))
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)


def split_paths(cell: str) -> list[Path]:
    """The paths of a cell that `join_paths` made."""
    return [Path(path) for path in json.loads(cell)] if cell.startswith('["') else [Path(cell)]


def _separate(
    photo_files: Sequence[Path],
    mask_files: Sequence[Path],
    photo_folder: Path,
    mask_folder: Path,
    rules: NameRules,
) -> tuple[list[Path], list[Path]]:
    """Decide of files in both folders what they are: by the inner folder, or else by name."""
    in_both = set(photo_files) & set(mask_files)
    if photo_folder == mask_folder:
        pattern = _mask_pattern(rules)
        masks = {it for it in in_both if fields_of(relative_name(it, mask_folder), pattern)}
    elif mask_folder.is_relative_to(photo_folder):
        masks = in_both
    else:
        masks = set()
    photos = in_both - masks
    return (
        [path for path in photo_files if path not in masks],
        [path for path in mask_files if path not in photos],
    )


def _mask_pattern(rules: NameRules) -> str:
    return rules.mask_pattern or f"{{photo}}{rules.mask_suffix}"


def _fields_of_photo(path: str, name: str, name_pattern: str | None) -> dict[str, str]:
    """Parse a photo's name; the field ``matched`` says if the pattern matches it."""
    found = None if name_pattern is None else fields_of(path, name_pattern)
    return {"photo": name} | ({} if found is None else found | {"matched": "yes"})


def _own_group(name: str) -> str:
    """The group of a photo whose name has none: its folder, or else itself."""
    folder, _, file = name.rpartition("/")
    return folder or file


def _assign(
    masks: Mapping[str, Path],
    folder: Path,
    fields: Mapping[str, Mapping[str, str]],
    rules: NameRules,
) -> tuple[dict[str, list[Path]], dict[Path, str]]:
    """Give photos, by name, their masks; and masks that have no photo a reason."""
    pattern = _mask_pattern(rules)
    common = sorted(compile_pattern(pattern).groupindex)
    owners: dict[tuple[str | None, ...], list[str]] = {}
    for name, known in fields.items():
        owners.setdefault(tuple(known.get(field) for field in common), []).append(name)
    masks_of: dict[str, list[Path]] = {}
    left_over: dict[Path, str] = {}
    for path in masks.values():
        said = fields_of(unicodedata.normalize("NFC", relative_name(path, folder)), pattern)
        if said is None:
            left_over[path] = (
                f"has a name that does not end in '{rules.mask_suffix}'"
                if rules.mask_pattern is None
                else f"is not what pairing.mask_pattern calls a mask: '{pattern}'"
            )
            continue
        names = owners.get(tuple(said.get(field) for field in common), [])
        if len(names) == 1:
            masks_of.setdefault(names[0], []).append(path)
        elif names:
            several = ", ".join(sorted(names)[:3])
            left_over[path] = f"may be the mask of several photos ({several})"
        else:
            left_over[path] = "has no photo"
    return masks_of, left_over


def _take_out_further_masks(
    masks_of: dict[str, list[Path]],
    left_over: dict[Path, str],
    masks: Mapping[str, Path],
    mask_suffix: str,
) -> None:
    """Take out photos that seem to have more masks than the one that is named like them.

    Half of what such a photo shows would be taken for background.
    """
    further: dict[str, list[Path]] = {}
    for name, path in masks.items():
        if path not in left_over:
            continue
        starts = [name[:end] for end, letter in enumerate(name) if letter in "_-. ("]
        owners = [it.removesuffix(mask_suffix) for it in starts if it.endswith(mask_suffix)]
        owners = [it for it in owners if it in masks_of]
        if owners:
            further.setdefault(owners[-1], []).append(path)
    for name, paths in further.items():
        own = masks_of.pop(name)[0]
        for path in (*paths, own):
            others = ", ".join(it.name for it in (own, *paths) if it != path)
            left_over[path] = (
                f"seems to be one of several masks of {name} (the others: {others}). To unite them "
                f"write pairing.mask_pattern: '{{photo}}{mask_suffix}*'; or move away those that "
                "do not count"
            )


def _hint(photos: Mapping[str, Path], masks: Mapping[str, Path]) -> str:
    suggested = suggest_patterns(photos.keys(), masks.keys())
    if suggested is None:
        return ""
    names, pattern = suggested
    return (
        f"Their names pair with pairing.name_pattern: '{names}' and pairing.mask_pattern: "
        f"'{pattern}' (with {{car}} in place of a part that photos of one thing share)."
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe_files(files: Sequence[Path]) -> str:
    """Describe numbers of files by kind, such as ``2 files that are not images (2 .json)``."""
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))
    return f"{len(files)} files that are not images ({listed})"


def rejected_table(rejected: Iterable[tuple[Path | str, str]]) -> pd.DataFrame:
    """Files and why they cannot be used (columns `REJECTED_COLUMNS`), in order of path."""
    rows = sorted((as_text(path), reason) for path, reason in rejected)
    return pd.DataFrame(rows, columns=REJECTED_COLUMNS)


def one_of_each_kind(rejected: pd.DataFrame) -> list[str]:
    """Sentences on rejected files: one for all whose reasons differ by names and numbers alone.

    Args:
        rejected: Columns `REJECTED_COLUMNS`.

    Example:
        >>> one_of_each_kind(pd.DataFrame({"path": ["a", "b"], "reason": ["has 3 it", "has 4 it"]}))
        ['a has 3 it (and so for 1 other: b)']
    """
    kinds = rejected["reason"].str.replace(r"\S*[\d'/.]\S*", "#", regex=True)
    sentences = []
    for _, alike in rejected.groupby(kinds, sort=False):
        path, *others = alike["path"]
        sentence = f"{path} {alike['reason'].iloc[0]}"
        if others:
            named = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            number = f"{len(others)} other" + ("s" if len(others) > 1 else "")
            sentence += f" (and so for {number}: {named})"
        sentences.append(printable(sentence))
    return sentences


def as_text(path: Path | str) -> str:
    r"""A path that can be written anywhere: bytes that are not UTF-8 as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
