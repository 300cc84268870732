"""How fast masks are scored at native size, and how much memory many photos take.

    python benchmarks/scoring.py FOLDER

FOLDER holds real masks in Kaggle's layout; predictions are the same masks, coarsened to a sixteenth
of their pixels. First, all scores of a photo, both masks given, in as many threads as there are
cores; goal: 15 photos a second. Then whole passes from files to a table for two numbers of photos,
each in a process of its own, with its memory sampled ten times a second; goal: no more for many.
Pages of mapped files are left out of the memory, since the system takes them back when it likes.
"""

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import psutil

from car_segmentation.core.parallel import map_photos
from car_segmentation.data.image_stack import read_stack
from car_segmentation.data.images import resize_by_area
from car_segmentation.data.masks import read_mask
from car_segmentation.data.resized_stacks import write_resized_masks
from car_segmentation.evaluation.photo_scores import score_photos
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.evaluation.upper_bound import HALF_COVERED
from car_segmentation.prediction.segmenter import to_native_size

PHOTOS_PER_SECOND_GOAL = 15
MEMORY_GROWTH_GOAL = 1.1
"""Peak memory of many photos over that of few."""
SAMPLE = 32
"""Photos whose masks are held at once while scoring alone is timed."""
ROUNDS = 3
COARSE = 4
"""One pixel of a prediction covers so many native pixels, along each side."""


def main() -> None:
    """Print the speed of scoring alone, then speed and memory of whole passes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--numbers", type=int, nargs=2, default=[100, 1000])
    arguments = parser.parse_args()
    masks = sorted((arguments.raw_data / "train_masks").glob("*_mask.gif"))
    few, many = arguments.numbers
    if len(masks) < many:
        sys.exit(f"Skipped: there are fewer than {many} masks in {arguments.raw_data}/train_masks.")

    _print_speed(masks[:: len(masks) // SAMPLE][:SAMPLE])
    with tempfile.TemporaryDirectory() as folder:
        height, width = (side // COARSE for side in read_mask(masks[0]).shape)
        ids, paths = [path.stem for path in masks[:many]], [str(path) for path in masks[:many]]
        stack = Path(folder) / "masks"
        write_resized_masks(stack, ids, paths, height, width)
        peaks = []
        print(f"{'photos':>6} {'seconds':>8} {'photos/s':>9} {'CPU ms each':>12} {'peak GB':>8}")
        for number in (few, many):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh_process:
                run = fresh_process.submit(_pass, stack, ids[:number], paths[:number])
                seconds, cpu_seconds, peak = run.result()
            peaks.append(peak)
            cpu = 1000 * cpu_seconds / number
            print(f"{number:6} {seconds:8.1f} {number / seconds:9.1f} {cpu:12.0f} {peak:8.2f}")
    verdict = "met" if peaks[1] <= MEMORY_GROWTH_GOAL * peaks[0] else "missed"
    print(f"memory of {many} photos over that of {few}: {peaks[1] / peaks[0]:.2f}   goal {verdict}")


def _print_speed(paths: Sequence[Path]) -> None:
    truths = [read_mask(path) for path in paths]
    pairs = []
    for truth in truths:
        height, width = truth.shape
        coarse = resize_by_area(truth.astype("float32"), height // COARSE, width // COARSE)
        pairs.append((to_native_size(coarse, height, width) >= 0.5, truth))
    start, cpu_start = time.perf_counter(), time.process_time()
    photos = ROUNDS * len(pairs)
    map_photos(lambda pair: score_mask(*pair), pairs * ROUNDS, photos, "score", workers="threads")
    speed = photos / (time.perf_counter() - start)
    cpu = 1000 * (time.process_time() - cpu_start) / photos
    verdict = "met" if speed >= PHOTOS_PER_SECOND_GOAL else "missed"
    height, width = truths[0].shape
    print(
        f"scores of {width}×{height}, both masks given: {speed:.1f} photos/s, "
        f"{cpu:.0f} ms of CPU each   goal {verdict}"
    )


def _pass(stack: Path, ids: Sequence[str], paths: Sequence[str]) -> tuple[float, float, float]:
    """Wall-clock seconds, CPU seconds and peak gigabytes of scoring photos from files."""
    table = pd.DataFrame({"photo_id": ids, "car": "", "view": "", "mask_path": paths})
    process = psutil.Process()
    peak, done = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.1):
            memory = process.memory_info()
            peak = max(peak, memory.rss - memory.shared)

    sampler = threading.Thread(target=sample)
    sampler.start()
    start, cpu_start = time.perf_counter(), time.process_time()
    score_photos(read_stack(stack), table, HALF_COVERED)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    done.set()
    sampler.join()
    return seconds, cpu_seconds, peak / 1e9


if __name__ == "__main__":
    main()
