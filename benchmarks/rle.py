"""Whether run lengths are Kaggle's own, on real masks, and how fast they are written.

    python benchmarks/rle.py FOLDER

FOLDER holds real masks in Kaggle's layout. Every row of FOLDER/train_masks.csv is compared with
the mask in FOLDER/train_masks, both ways. Goal: a native 1918×1280 mask in less than 5 ms.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

from car_segmentation.data.masks import read_mask
from car_segmentation.prediction.run_lengths import decode_runs, encode_runs

MILLISECONDS_GOAL = 5


def main() -> None:
    """Print how many rows agree and how long encoding takes; exit with 1 where a row differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    raw_data = parser.parse_args().raw_data
    table = raw_data / "train_masks.csv"
    if not table.is_file():
        sys.exit(f"Skipped: there is no {table}.")

    different, milliseconds = [], []
    csv.field_size_limit(sys.maxsize)
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            mask = read_mask(raw_data / "train_masks" / f"{Path(row['img']).stem}_mask.gif")
            start = time.perf_counter()
            runs = encode_runs(mask)
            milliseconds.append(1000 * (time.perf_counter() - start))
            decoded = decode_runs(row["rle_mask"], *mask.shape)
            if runs != row["rle_mask"] or not np.array_equal(decoded, mask):
                different.append(row["img"])
    median, slowest = np.median(milliseconds), np.percentile(milliseconds, 99)
    verdict = "met" if median < MILLISECONDS_GOAL else "missed"
    print(f"{len(milliseconds)} rows, {len(different)} of which differ")
    print(f"encoding: median {median:.2f} ms, 99 % below {slowest:.2f} ms   goal {verdict}")
    if different:
        sys.exit(f"These rows differ: {', '.join(different)}")


if __name__ == "__main__":
    main()
