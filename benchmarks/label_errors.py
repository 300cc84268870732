"""How many masks broken on purpose the list of suspected label errors shows in its first rows.

    python benchmarks/label_errors.py FOLDER [FOLDER …]

FOLDER has the results of a finished `kedro run`, such as data/cpu: the photo splits, the
probability maps and the threshold. Twenty masks of its test photos are broken, four in each way,
and all test photos are ranked; then again with other masks, once for each seed. Goal: 18 of 20 in
the first 40 rows on average.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from car_segmentation.core.parallel import map_photos
from car_segmentation.data.image_stack import ImageStack, read_stack
from car_segmentation.data.masks import read_mask
from car_segmentation.data.splits import rows_of_split
from car_segmentation.evaluation.label_errors import label_evidence, rank_label_errors
from car_segmentation.prediction.segmenter import to_native_size

FIRST_ROWS = 40
OF_EACH_KIND = 4
GOAL = 18
SMALLEST_HOLES = 200
"""Masks with less hole area, px, are not taken to have holes filled: there is little to see."""
SHIFT = 6
"""How far masks are shifted, px, in one of eight directions."""
SPECKS = (3, 8)
"""Number of specks added, from and to."""
SPECK_RADIUS = (2, 7)
"""Radius of a speck, px, from and to."""
MIRROR_WIDTH = 61
"""What an opening by a disc of this width removes may be a wing mirror, px."""
MIRROR_AREA = (500, 6000)
"""Area of a wing mirror, px, from and to."""
MIRROR_HEIGHT = (0.2, 0.55)
"""Where on the car's height a wing mirror is, from its top."""
MIRROR_REACH = 20
"""A wing mirror stands out from the opened mask at least this far, px."""

Mask = np.ndarray


class Project(NamedTuple):
    """What is read of a finished run."""

    photos: pd.DataFrame
    probabilities: ImageStack
    threshold: float


def main() -> None:
    """Print how many broken masks are in the first rows, by kind and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203, 204, 205])
    arguments = parser.parse_args()
    for folder in arguments.folders:
        _report(folder, arguments.seeds)


def _report(folder: Path, seeds: Sequence[int]) -> None:
    project = _read(folder)
    untouched = pd.DataFrame(
        map_photos(
            lambda photo: _evidence(photo, read_mask(Path(photo.mask_path)), project),
            project.photos.itertuples(),
            len(project.photos),
            "evidence",
            workers="threads",
        )
    )
    print(f"{folder}: {len(untouched)} photos; the first rows as they are:")
    top = rank_label_errors(untouched).head(10)
    print(top[["photo_id", "score", "reason"]].round(1).to_string(), "\n")
    totals: Counter[str] = Counter()
    for seed in seeds:
        found = _found(project, untouched, seed)
        totals.update(found)
        kinds = ", ".join(f"{kind} {found[kind]}" for kind in DAMAGES)
        print(f"seed {seed}: {found.total():2} of 20   ({kinds}, of {OF_EACH_KIND} each)")
    mean = totals.total() / len(seeds)
    print(f"mean: {mean:.1f} of 20   goal {'met' if mean >= GOAL else 'missed'}\n")


def _read(data: Path) -> Project:
    table = pd.read_csv(data / "05_model_input/photo_splits.csv", dtype={"view": str})
    root = next(folder for folder in data.resolve().parents if (folder / "conf").is_dir())
    for column in ("photo_path", "mask_path"):  # Those inside the project are relative to it.
        table[column] = [str(root / path) for path in table[column]]
    threshold = json.loads((data / "06_models/threshold.json").read_text())["threshold"]
    stack = read_stack(data / "07_model_output/probabilities")
    return Project(rows_of_split(table, "test").reset_index(drop=True), stack, threshold)


def _evidence(photo: Any, mask: Mask, project: Project) -> dict[str, Any]:
    row = project.probabilities.rows_of([photo.photo_id])[0]
    probability = to_native_size(project.probabilities.image(row), *mask.shape)
    identity = {"photo_id": photo.photo_id, "car": photo.car, "view": photo.view}
    return identity | label_evidence(mask, probability, project.threshold)


def _found(project: Project, untouched: pd.DataFrame, seed: int) -> Counter[str]:
    """Break masks, and count by kind of damage those among the first rows."""
    rng = np.random.default_rng(seed)
    photos = iter(rng.permutation(len(project.photos)))
    evidence = untouched.copy()
    broken: dict[str, str] = {}
    left = dict.fromkeys(DAMAGES, OF_EACH_KIND)
    while any(left.values()):
        photo = project.photos.iloc[next(photos)]
        mask = read_mask(Path(photo.mask_path))
        other = project.photos.iloc[rng.integers(len(project.photos))]
        for kind in sorted(left, key=lambda kind: -left[kind]):
            damaged = DAMAGES[kind](mask, other.mask_path, rng) if left[kind] else None
            if damaged is not None and not np.array_equal(damaged, mask):
                row = evidence.index[evidence["photo_id"] == photo.photo_id]
                numbers = pd.DataFrame([_evidence(photo, damaged, project)], index=row)
                evidence.loc[row, numbers.columns] = numbers
                broken[photo.photo_id] = kind
                left[kind] -= 1
                break
    first = rank_label_errors(evidence).head(FIRST_ROWS)["photo_id"]
    return Counter(broken[photo_id] for photo_id in first if photo_id in broken)


def _fill_holes(mask: Mask, _: str, __: np.random.Generator) -> Mask | None:
    outlines, ___ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    added = np.count_nonzero(filled) - np.count_nonzero(mask)
    return filled.view(bool) if added >= SMALLEST_HOLES else None


def _add_specks(mask: Mask, _: str, rng: np.random.Generator) -> Mask | None:
    speckled = mask.astype(np.uint8)
    for __ in range(rng.integers(*SPECKS, endpoint=True)):
        centre = (int(rng.integers(mask.shape[1])), int(rng.integers(mask.shape[0])))
        if cv2.pointPolygonTest(_outline(mask), centre, measureDist=True) < -2 * SPECK_RADIUS[1]:
            radius = int(rng.integers(*SPECK_RADIUS, endpoint=True))
            cv2.circle(speckled, centre, radius, 1, cv2.FILLED)
    return speckled.view(bool)


def _outline(mask: Mask) -> np.ndarray:
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(outlines, key=cv2.contourArea))


def _shift(mask: Mask, _: str, rng: np.random.Generator) -> Mask | None:
    angle = rng.integers(8) * np.pi / 4
    warp = np.array([[1, 0, SHIFT * np.cos(angle)], [0, 1, SHIFT * np.sin(angle)]])
    size = mask.shape[::-1]
    return cv2.warpAffine(mask.view(np.uint8), warp, size, flags=cv2.INTER_NEAREST).view(bool)


def _cut_mirror(mask: Mask, _: str, __: np.random.Generator) -> Mask | None:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (MIRROR_WIDTH, MIRROR_WIDTH))
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, disc)
    from_body = cv2.distanceTransform(1 - opened, cv2.DIST_L2, cv2.DIST_MASK_5)
    removed = (mask & (opened == 0)).view(np.uint8)
    ___, parts, boxes, centres = cv2.connectedComponentsWithStats(removed, connectivity=4)
    rows = np.flatnonzero(mask.any(axis=1))
    heights = (centres[:, 1] - rows[0]) / (rows[-1] - rows[0])
    mirrors = [
        part
        for part in range(1, len(boxes))
        if MIRROR_AREA[0] <= boxes[part, cv2.CC_STAT_AREA] <= MIRROR_AREA[1]
        and MIRROR_HEIGHT[0] <= heights[part] <= MIRROR_HEIGHT[1]
        and from_body[parts == part].max() >= MIRROR_REACH
    ]
    if not mirrors:
        return None
    return mask & (parts != max(mirrors, key=lambda part: boxes[part, cv2.CC_STAT_AREA]))


def _swap(mask: Mask, other: str, _: np.random.Generator) -> Mask | None:
    swapped = read_mask(Path(other))
    return swapped if swapped.shape == mask.shape else None


DAMAGES: dict[str, Callable[[Mask, str, np.random.Generator], Mask | None]] = {
    "holes filled": _fill_holes,
    "mirror cut off": _cut_mirror,
    "specks added": _add_specks,
    "shifted": _shift,
    "another photo's mask": _swap,
}


if __name__ == "__main__":
    main()
