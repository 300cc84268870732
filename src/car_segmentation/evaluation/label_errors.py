"""Suspected label errors: masks that are probably wrong, ranked, each with a reason.

First evidence is taken photo by photo (`label_evidence`), small numbers that need the mask and
the model's probability map alone. Then the photos are compared (`rank_label_errors`): with the
other views of the same car, with the same view of other cars, and, for holes, with the view from
the other side. The model errs too: what it does wrong on all views of a car says nothing about one
mask.

Masks are bool (height, width) at native size. Lengths and areas are fractions of the photo's
diagonal and its square, so that they hold at any size; after each is its value at
1918×1280.
"""

import math
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from car_segmentation.data.boxes import Box
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.mask_geometry import disc, holes, largest_part
from car_segmentation.evaluation.scores import dice

LEAST_DICE = 0.9
"""A model whose median Dice is below this judges no masks: where one pixel in ten is its own error,
nothing says which of the two is wrong."""
CONFIDENT = 0.98
"""The model is confident of car from this probability on, of background up to 1 − this."""
LIKELY = 0.5
"""At this probability and above the model sees rather car than background."""
MARGIN = 0.0026
"""Nearer to the mask's edge than this the model says nothing; fraction of the diagonal (6 px)."""
SMALLEST_BLOB = 1e-5
"""Smaller holes and disagreements are not looked at; fraction of the diagonal squared (53 px)."""
SHIFT_REDUCTION = 4
"""A mask's shift is estimated on masks that are smaller by this factor."""
SHIFT_STEPS = 5
"""Gauss-Newton steps towards the best shift."""
LARGEST_SHIFT = 0.01
"""Larger shifts are not believed; fraction of the diagonal (23 px)."""
BOX_MARGIN = 0.02
"""Margin shown around an enlarged place; fraction of the diagonal (46 px)."""
VIEWS = 16
"""Photos round the turntable; view k is seen from the other side in view 18 − k."""
FEW_HOLES = 0.4
"""A view with less than this fraction of the holes' area on the other side lacks holes."""
SMALLEST_GROUP = 4
"""Fewer views of a car, or cars in a view, do not say what is usual."""
MAD_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation in units of its median absolute deviation."""


class Suspicion(StrEnum):
    """Kinds of evidence against a mask; also the columns of the ranked table."""

    WRONG_IMAGE = "wrong_image"
    """1 − Dice of mask and model's mask: a mask of another photo, say."""
    SHIFTED = "shifted"
    """Dice that would be gained by shifting the mask."""
    MISSING_PART = "missing_part"
    """Area of the largest blob, off the mask's edge, that the model confidently sees as the car."""
    EXTRA_PART = "extra_part"
    """Area of the largest blob in the mask that the model confidently sees as background."""
    SPECKS = "specks"
    """Area of the mask outside its largest connected part."""
    MISSING_HOLES = "missing_holes"
    """Area of holes that the view from the other side has and this one lacks."""
    EXTRA_HOLES = "extra_holes"
    """Area of holes that neither the view from the other side nor the views beside it have."""


FLOORS = {
    Suspicion.WRONG_IMAGE: 0.003,
    Suspicion.SHIFTED: 0.0003,
    Suspicion.MISSING_PART: 1e-5,
    Suspicion.EXTRA_PART: 1e-4,
    Suspicion.SPECKS: 1e-6,
    Suspicion.MISSING_HOLES: 5e-6,
    Suspicion.EXTRA_HOLES: 2e-5,
}
"""The least that counts as one step of suspicion, where most photos have none and so no spread.

Background that the model confidently sees in a mask counts least: a confident error about a
reflecting window is far more common than a mask with too much. Set on masks broken on purpose
(benchmarks/label_errors.py, seeds 1 to 12).
"""


def label_evidence(
    truth: np.ndarray, probability: np.ndarray, threshold: float, ignored: np.ndarray | None = None
) -> dict[str, float]:
    """Evidence against the mask of one photo.

    Args:
        truth: The mask, bool (height, width).
        probability: The model's probability map at native size, float32 (height, width), 0 to 1.
        threshold: Probability from which a pixel is car.
        ignored: bool (height, width), True where nobody said what it is. It may be car: what it
            joins is no speck, and what it fills no hole. None for nowhere.

    Returns:
        ``wrong_image``, ``shifted`` (Dice); ``missing_part``, ``extra_part``, ``specks``,
        ``hole_area`` (fractions of the diagonal squared); ``speck_count``, ``hole_count``;
        ``shift_x``, ``shift_y`` (pixels, right and down, that bring the mask nearest to the
        model's).
    """
    predicted = probability >= threshold
    unit = math.hypot(*truth.shape) ** 2
    missing, extra = _marks(truth, probability)
    possible = truth if ignored is None else truth | ignored
    shift_x, shift_y, gain = _best_shift(truth, predicted)
    hole_areas = _areas(holes(possible))
    hole_areas = hole_areas[hole_areas >= SMALLEST_BLOB * unit]
    speck_areas = _areas(truth & ~largest_part(truth, joined_by=possible))
    return {
        Suspicion.WRONG_IMAGE.value: 1 - dice(predicted, truth),
        Suspicion.SHIFTED.value: gain,
        "shift_x": shift_x,
        "shift_y": shift_y,
        Suspicion.MISSING_PART.value: _areas(missing).max(initial=0) / unit,
        Suspicion.EXTRA_PART.value: _areas(extra).max(initial=0) / unit,
        Suspicion.SPECKS.value: speck_areas.sum() / unit,
        "speck_count": len(speck_areas),
        "hole_area": hole_areas.sum() / unit,
        "hole_count": len(hole_areas),
    }


def can_judge_masks(dice: pd.Series) -> bool:
    """True if a model is good enough to judge masks.

    Args:
        dice: Of photos that it was not trained on.

    Returns:
        Whether the median is at least `LEAST_DICE`: a few wrong masks do not change it.
    """
    return bool(dice.median() >= LEAST_DICE)


def rank_label_errors(evidence: pd.DataFrame) -> pd.DataFrame:
    """Rank masks by how much speaks against them.

    Each kind of evidence is counted in steps above what is usual: what the median view of the same
    car has, or the median car in the same view, whichever is more. A step is the standard
    deviation that the median absolute deviation over all photos stands for, and no less than
    `FLOORS` says. The score is the strongest kind's number of steps: one good reason is enough,
    and many weak ones are none.

    Args:
        evidence: A row per photo: ``photo_id``, ``car``, ``view`` and the numbers of
            `label_evidence`. Views are compared for holes if they are 1 to 16, all of them
            there: a turntable's.

    Returns:
        A row per photo, the most suspect first: ``photo_id``, ``car``, ``view``, ``suspicion``
        (the strongest kind), ``score`` (steps), ``reason`` (in plain words), and the steps of
        each kind (`Suspicion`).
    """
    table = evidence.reset_index(drop=True)
    table = pd.concat([table, _hole_evidence(table)], axis=1)
    steps = pd.DataFrame({str(kind): _steps(table, kind) for kind in Suspicion})
    strongest = steps.idxmax(axis=1)
    reasons = [
        _reason(row, str(kind)) for (_, row), kind in zip(table.iterrows(), strongest, strict=True)
    ]
    ranked = table[["photo_id", "car", "view"]].assign(
        suspicion=strongest, score=steps.max(axis=1), reason=reasons
    )
    ranked = pd.concat([ranked, steps], axis=1)
    return ranked.sort_values(["score", "photo_id"], ascending=[False, True], ignore_index=True)


def mirror_view(view: int) -> int:
    """The view of the car from the other side: 18 − k; views 1 and 9 face themselves."""
    return (1 - view) % VIEWS + 1


def mask_from_other_side(photo: Any, photo_splits: pd.DataFrame) -> np.ndarray | None:
    """The true mask of the same car seen from the other side.

    Args:
        photo: A row of the table.
        photo_splits: All photos.

    Returns:
        bool (height, width), or None if there is no such view of the same size.
    """
    if not str(photo.view).isdigit():
        return None
    views = pd.to_numeric(photo_splits["view"], errors="coerce")
    mirrored = mirror_view(int(photo.view))
    found = photo_splits[(photo_splits["car"] == photo.car) & (views == mirrored)]
    if found.empty or mirrored == int(photo.view):
        return None
    mask = read_mask(Path(found["mask_path"].iloc[0]))
    return mask if mask.shape == (photo.height, photo.width) else None


def _steps(table: pd.DataFrame, kind: Suspicion) -> pd.Series:
    """Excess of a kind of evidence over its usual value, in steps; 0 where it is below."""
    excess = table[kind]
    if kind not in {Suspicion.MISSING_HOLES, Suspicion.EXTRA_HOLES}:
        # Those have been compared with other views already.
        excess = excess - np.maximum(_usual(table, "car", kind), _usual(table, "view", kind))
    spread = MAD_TO_SIGMA * float((excess - excess.median()).abs().median())
    return (excess / max(spread, FLOORS[kind])).clip(lower=0)


def _usual(table: pd.DataFrame, by: str, kind: Suspicion) -> pd.Series:
    """The median of each photo's group, or of all where the group is small."""
    groups = table.groupby(by)[str(kind)]
    is_large = groups.transform("size") >= SMALLEST_GROUP
    return groups.transform("median").where(is_large, table[kind].median())


def _hole_evidence(table: pd.DataFrame) -> pd.DataFrame:
    """Area of the holes that a view, unlike the other views of its car, lacks or has."""
    views = list(range(1, VIEWS + 1))
    number = pd.to_numeric(table["view"], errors="coerce")
    if set(number.dropna()) != set(views):
        # Other views than a turntable's have no other side.
        number = pd.Series(np.nan, table.index)
    areas = (
        table.assign(number=number)[number.isin(views)]
        .pivot_table(index="car", columns="number", values="hole_area")
        .reindex(columns=views)
    )
    own = areas.to_numpy()
    before, after = np.roll(own, 1, axis=1), np.roll(own, -1, axis=1)
    opposite = areas[[mirror_view(view) for view in views]].to_numpy().copy()
    for column, view in enumerate(views):
        if mirror_view(view) == view:
            opposite[:, column] = np.minimum(before, after)[:, column]
    beside = np.fmax(opposite, np.fmax(before, after))
    missing = np.where(own < FEW_HOLES * opposite, opposite - own, 0)
    extra = np.where(opposite < FEW_HOLES * own, (own - beside).clip(min=0), 0)

    place = dict(zip(areas.index, range(len(areas)), strict=True))
    rows, columns = table["car"].map(place), number
    known = rows.notna() & columns.isin(views)
    found = pd.DataFrame(0.0, table.index, [Suspicion.MISSING_HOLES, Suspicion.EXTRA_HOLES])
    at = rows[known].astype(int), columns[known].astype(int) - 1
    found.loc[known, Suspicion.MISSING_HOLES] = missing[at]
    found.loc[known, Suspicion.EXTRA_HOLES] = extra[at]
    return found.fillna(0)


def _reason(row: pd.Series, kind: str) -> str:
    """The strongest evidence in plain words."""
    return {
        Suspicion.WRONG_IMAGE: f"Dice {1 - row['wrong_image']:.3f} with the model's mask, far "
        "less than the other views': another photo's mask?",
        Suspicion.SHIFTED: f"moved by ({row['shift_x']:+.0f}, {row['shift_y']:+.0f}) px it fits "
        f"the model's mask better by {row['shifted']:.4f} Dice",
        Suspicion.MISSING_PART: "misses a part that the model predicts confidently",
        Suspicion.EXTRA_PART: "has a part that the model is confident is background",
        Suspicion.SPECKS: f"has {row['speck_count']:.0f} specks apart from the rest",
        Suspicion.MISSING_HOLES: "lacks holes that are visible from the other side",
        Suspicion.EXTRA_HOLES: "has holes that are not there from the other side",
    }[Suspicion(kind)]


def doubted_box(
    truth: np.ndarray,
    probability: np.ndarray,
    suspicion: Suspicion | str,
    opposite: np.ndarray | None = None,
) -> Box:
    """The place to enlarge in a picture of a mask that may be wrong.

    Args:
        truth: bool (height, width).
        probability: float32 (height, width), 0 to 1.
        suspicion: What is to be seen.
        opposite: The mask of the view from the other side, bool (height, width): it shows where
            holes are missing.

    Returns:
        A box around the largest blob, all specks or all holes in question; around the whole car
        where there is nothing of the kind.
    """
    missing, extra = _marks(truth, probability)
    if suspicion == Suspicion.MISSING_PART:
        marked = largest_part(missing)
    elif suspicion == Suspicion.EXTRA_PART:
        marked = largest_part(extra)
    elif suspicion == Suspicion.SPECKS:
        marked = truth & ~largest_part(truth)
    elif suspicion == Suspicion.EXTRA_HOLES:
        marked = holes(truth)
    elif suspicion == Suspicion.MISSING_HOLES and opposite is not None:
        marked = holes(opposite[:, ::-1])
    else:
        marked = truth
    margin = math.ceil(BOX_MARGIN * math.hypot(*truth.shape))
    return Box.around(marked if marked.any() else truth, margin)


def _marks(truth: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts that the mask lacks, and has too much, if the model is right.

    The model must be confident, and see one car: false positives apart from the car, and false
    negatives in the midst of it, are its own errors.
    """
    margin = disc(MARGIN * math.hypot(*truth.shape))
    pixels = truth.view(np.uint8)
    car = largest_part(probability >= LIKELY)
    missing = (cv2.dilate(pixels, margin) == 0) & (probability >= CONFIDENT) & car
    extra = cv2.erode(pixels, margin).view(bool) & (probability <= 1 - CONFIDENT) & ~holes(car)
    return missing, extra


def _areas(mask: np.ndarray) -> np.ndarray:
    """Areas of the connected parts (8-connected) of a mask, pixels."""
    if not mask.any():
        return np.zeros(0, np.int64)
    _, parts = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    return np.bincount(parts[mask])[1:]


def _best_shift(truth: np.ndarray, predicted: np.ndarray) -> tuple[int, int, float]:
    """The shift (right, down; pixels) that brings a mask nearest to another, and the Dice it gains.

    Gauss-Newton on the squared difference of the two, as Lucas and Kanade register images
    (IJCAI 1981, section 4.2).
    """
    height, width = (max(1, round(side / SHIFT_REDUCTION)) for side in truth.shape)
    size = (width, height)
    moving, fixed = (
        cv2.GaussianBlur(
            cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), (0, 0), 2
        )
        for mask in (truth, predicted)
    )
    down, right = np.gradient(moving)
    slopes = np.stack([right.ravel(), down.ravel()])
    normal = slopes @ slopes.T
    if np.linalg.det(normal) <= 0:
        return 0, 0, 0.0
    shift = np.zeros(2)
    for _ in range(SHIFT_STEPS):
        warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        shifted = cv2.warpAffine(moving, warp, size, borderMode=cv2.BORDER_REPLICATE)
        shift += np.linalg.solve(normal, slopes @ (shifted - fixed).ravel())
    limit = LARGEST_SHIFT * math.hypot(*truth.shape)
    x, y = (round(float(step)) for step in np.clip(shift * SHIFT_REDUCTION, -limit, limit))
    if (x, y) == (0, 0):
        return 0, 0, 0.0
    warp = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(truth.view(np.uint8), warp, truth.shape[::-1], flags=cv2.INTER_NEAREST)
    gain = dice(predicted, moved.view(bool)) - dice(predicted, truth)
    return (x, y, float(gain)) if gain > 0 else (0, 0, 0.0)
