"""How early the review queue shows the masks that are worst, on photos whose truth is known.

    python benchmarks/review_queue.py FOLDER [--mirrored] [--seeds 1 2 3 4 5]

FOLDER has the results of a finished `kedro run`, such as data/cpu. The queue is fitted on its
validation photos, and all figures are of its test photos: the rank correlation of expected and true
Dice (goal: 0.8), which part of the worst tenth is in the first tenth and fifth of the queue (goals:
60 % and 85 %), how often the interval holds the true Dice, and the same with each signal left out.
With --mirrored, photos are predicted once more, mirrored (review.mirrored=true).
Then twenty of the test masks are broken on purpose, five in each way, once for each seed; of these,
how many are in the first 40 by their deviation from the other views of the car alone.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from car_segmentation.data.image_stack import ImageStack, read_stack
from car_segmentation.evaluation.mask_geometry import disc, holes
from car_segmentation.evaluation.review_photos import mirror_errors, signals_of_stack
from car_segmentation.evaluation.review_queue import (
    ReviewModel,
    budget_curve,
    fit_review_model,
    rank_photos,
    usable_signals,
)
from car_segmentation.evaluation.review_signals import mask_signals, view_outliers
from car_segmentation.networks.model_file import read_model
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.segmenter import Segmenter

FIRST = 40
OF_EACH_KIND = 5
SMALLEST_CHANGE = 200
"""Pixels that a damage changes at least: of less there is nothing to see."""
SHIFT = 6
"""How far masks are shifted, px, in one of eight directions."""
MIRROR_WIDTH = 61
"""What an opening by a disc of this width removes may be a wing mirror, px."""

Mask = np.ndarray


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mirrored", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    splits = pd.read_csv(
        folder / "05_model_input/photo_splits.csv", dtype={"photo_id": str, "car": str, "view": str}
    )
    stack = read_stack(folder / "07_model_output/probabilities")
    threshold = json.loads((folder / "06_models/threshold.json").read_text())["threshold"]
    scores = pd.concat(
        pd.read_csv(folder / "08_reporting" / name, dtype={"photo_id": str})
        for name in ("photo_scores.csv", "other_scores.csv")
    )
    photos = splits[splits["split"].isin(["validation", "test"])].merge(
        scores[["photo_id", "dice"]], on="photo_id"
    )
    signals = signals_of_stack(stack, photos, threshold).assign(
        photo=photos["photo_id"], dice=photos["dice"], warnings=""
    )
    if arguments.mirrored:
        model = read_model(folder / "06_models/model.keras")
        masks = (
            predicted_mask(
                stack.image(stack.rows_of([photo.photo_id])[0]),
                (photo.height, photo.width),
                threshold,
            )
            for photo in photos.itertuples()
        )
        segmenter = Segmenter.from_options(model, PredictionOptions(batch_size=4), threshold)
        files = [Path(path) for path in photos["photo_path"]]
        signals["mirror_error"] = mirror_errors(segmenter, files, masks)
    validation, test = (signals[photos["split"] == split] for split in ("validation", "test"))
    _report_queue(validation, test)
    _report_broken(test, photos.loc[test.index], stack, threshold, arguments.seeds)


def _report_queue(validation: pd.DataFrame, test: pd.DataFrame) -> None:
    print(f"fitted on {len(validation)} validation photos; figures of {len(test)} test photos\n")
    print("signals                        rank correlation   first tenth   first fifth")
    print(_line("the model's expectation alone", test, -test["expected_error"]))
    names = usable_signals(validation)
    model = fit_review_model(validation, names)
    print(_line("all", test, -model.log_error(test)))
    for name in names:
        others = [other for other in names if other != name]
        left = fit_review_model(validation, others)
        print(_line(f"without {name}", test, -left.log_error(test)))
    print("\nweights: " + _weights(model))
    queue = rank_photos(test, model).merge(test[["photo", "dice"]], on="photo")
    inside = queue["dice"].between(queue["lower"], queue["upper"])
    print(f"the interval (80 %) holds the true Dice of {inside.mean():.0%} of the photos")
    error = (queue["expected_dice"] - queue["dice"]).abs()
    print(f"median distance of expected and true Dice: {error.median():.4f}")
    curve = budget_curve(model.log_error(test), test["dice"])
    print(f"budget: {', '.join(f'{at} %: {curve[at - 1]:.0%}' for at in (5, 10, 20, 30, 50))}\n")


def _line(name: str, test: pd.DataFrame, expected: pd.Series) -> str:
    curve = budget_curve(-expected, test["dice"])
    correlation = spearmanr(expected, test["dice"]).statistic
    return f"{name:30} {correlation:16.3f}   {curve[9]:11.0%}   {curve[19]:11.0%}"


def _weights(model: ReviewModel) -> str:
    return ", ".join(f"{name} {part.weight:.2f}" for name, part in model.signals.items())


def _report_broken(
    test: pd.DataFrame, photos: pd.DataFrame, stack: ImageStack, threshold: float, seeds: list[int]
) -> None:
    totals: Counter[str] = Counter()
    for seed in seeds:
        found = _found(test, photos, stack, threshold, seed)
        totals.update(found)
        kinds = ", ".join(f"{kind} {found[kind]}" for kind in DAMAGES)
        print(f"seed {seed}: {found.total():2} of {OF_EACH_KIND * len(DAMAGES)}   ({kinds})")
    chance = FIRST / len(test) * OF_EACH_KIND * len(DAMAGES)
    print(f"mean of the first {FIRST}: {totals.total() / len(seeds):.1f}; by chance {chance:.1f}")


def _found(
    test: pd.DataFrame, photos: pd.DataFrame, stack: ImageStack, threshold: float, seed: int
) -> Counter[str]:
    """Break masks, and count by kind of damage those that stand out most."""
    rng = np.random.default_rng(seed)
    changed, broken = test.copy(), {}
    left = dict.fromkeys(DAMAGES, OF_EACH_KIND)
    for index in rng.permutation(photos.index):
        photo = photos.loc[index]
        image = stack.image(stack.rows_of([photo["photo_id"]])[0])
        mask = predicted_mask(image, (photo["height"], photo["width"]), threshold)
        for kind in sorted(left, key=lambda kind: -left[kind]):
            damaged = DAMAGES[kind](mask, rng) if left[kind] else mask
            if np.count_nonzero(damaged != mask) >= SMALLEST_CHANGE:
                for name, value in mask_signals(damaged).items():
                    changed.loc[index, name] = value
                broken[index] = kind
                left[kind] -= 1
                break
    first = view_outliers(changed).sort_values(ascending=False).index[:FIRST]
    return Counter(broken[index] for index in first if index in broken)


def _fill_holes(mask: Mask, _: np.random.Generator) -> Mask:
    return mask | holes(mask)


def _cut_mirror(mask: Mask, _: np.random.Generator) -> Mask:
    """Cut off the largest of the parts that stand out from the upper half of the car."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, disc(MIRROR_WIDTH // 2))
    removed = mask & (opened == 0)
    rows = np.flatnonzero(mask.any(axis=1))
    removed[(rows[0] + rows[-1]) // 2 :] = False
    count, parts, boxes, _centres = cv2.connectedComponentsWithStats(removed.view(np.uint8))
    largest = max(range(1, count), key=lambda part: boxes[part, cv2.CC_STAT_AREA], default=0)
    return mask & (parts != largest) if largest else mask


def _include_shadow(mask: Mask, _: np.random.Generator) -> Mask:
    """Add an ellipse on the ground, as wide as 80 % of the car and a sixth as high."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    centre = (int(columns[0] + columns[-1]) // 2, int(rows[-1]))
    axes = (int(0.4 * (columns[-1] - columns[0])), int(0.08 * (rows[-1] - rows[0])))
    with_shadow = mask.astype(np.uint8)
    cv2.ellipse(with_shadow, centre, axes, 0, 0, 360, 1, cv2.FILLED)
    return with_shadow.view(bool)


def _shift(mask: Mask, rng: np.random.Generator) -> Mask:
    angle = rng.integers(8) * np.pi / 4
    warp = np.array([[1, 0, SHIFT * np.cos(angle)], [0, 1, SHIFT * np.sin(angle)]])
    size = mask.shape[::-1]
    return cv2.warpAffine(mask.view(np.uint8), warp, size, flags=cv2.INTER_NEAREST).view(bool)


DAMAGES: dict[str, Callable[[Mask, np.random.Generator], Mask]] = {
    "hole filled": _fill_holes,
    "mirror cut off": _cut_mirror,
    "shadow included": _include_shadow,
    "shifted": _shift,
}


if __name__ == "__main__":
    main()
