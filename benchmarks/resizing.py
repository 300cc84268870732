"""Dice of a perfect predictor at a square input size, by the way back to native size.

    python benchmarks/resizing.py FOLDER

FOLDER holds real masks in Kaggle's layout. Each is reduced to the input size by area averaging, as
for training, and enlarged again: thresholded after it, thresholded before it, or with the nearest
pixel both ways.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from car_segmentation.core.parallel import map_bounded
from car_segmentation.data.images import resize_by_area
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.scores import dice
from car_segmentation.prediction.segmenter import to_native_size

SIZES = (128, 256, 512, 1024)


def main() -> None:
    """Print the mean Dice of each size and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    masks = sorted((parser.parse_args().raw_data / "train_masks").glob("*.gif"))
    if not masks:
        sys.exit("Skipped: there are no masks.")
    print(f"mean Dice of {len(masks)} masks: enlarge and threshold, the reverse, nearest pixel")
    for size in SIZES:
        means = np.mean(list(map_bounded(partial(_dice, size), masks, ahead=4)), axis=0)
        print(f"{size:5d}  " + "  ".join(f"{mean:.5f}" for mean in means))


def _dice(size: int, path: Path) -> list[float]:
    truth = read_mask(path)
    small = resize_by_area(truth.astype(np.float32), size, size)
    nearest = cv2.resize(truth.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    native = cv2.resize(nearest, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    masks = (
        to_native_size(small, *truth.shape) >= 0.5,
        to_native_size(small >= 0.5, *truth.shape) >= 0.5,
        native.astype(bool),
    )
    return [dice(mask, truth) for mask in masks]


if __name__ == "__main__":
    main()
