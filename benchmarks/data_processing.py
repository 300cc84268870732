"""How fast `data_processing` is, and how much memory it takes.

    python benchmarks/data_processing.py FOLDER

FOLDER holds real photos in Kaggle's layout. For each number of cars, a `kedro run` of the pipeline
is timed, from start to exit, with the resident memory of the process and its children sampled ten
times a second. Goals: 50 photo-mask pairs a second on two cores at 1024×1024 from 1918×1280 JPEGs,
in less than 1.5 GB, whatever the number of photos.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil

from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.data.masks import MaskRules, read_mask

PROJECT = Path(__file__).parents[1]
VIEWS = 16
SAMPLES = 100
"""Photos that the parts are timed on."""
PAIRS_PER_SECOND_GOAL = 50
MEMORY_GOAL_GB = 1.5


def main() -> None:
    """Print one line for each number of cars, and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--cars", type=int, nargs="+", default=[20, 40, 80])
    arguments = parser.parse_args()
    photos = len(list((arguments.raw_data / "train").glob("*.jpg")))
    if not photos:
        sys.exit(f"Skipped: there are no photos in {arguments.raw_data}/train.")

    startup, _ = measure("registry", "list")
    print(f"kedro's own start: {startup:.1f} s, contained in the times below")
    print(f"{'pairs':>6} {'seconds':>8} {'pairs/s':>8} {'peak GB':>8}")
    for cars in arguments.cars:
        seconds, peak = measure(
            "run",
            "--pipelines=data_processing",
            f"--params=raw_data={arguments.raw_data.resolve()},pairing.max_cars={cars}",
        )
        pairs = min(cars * VIEWS, photos)
        verdict = "met" if _goals_met(pairs / seconds, peak) else "missed"
        print(f"{pairs:6} {seconds:8.1f} {pairs / seconds:8.1f} {peak:8.2f}   goals {verdict}")
    _print_parts(sorted((arguments.raw_data / "train").glob("*.jpg"))[:SAMPLES])


def _print_parts(photos: list[Path]) -> None:
    """Milliseconds that each part of a pair takes on one core."""
    cv2.setNumThreads(1)
    masks = [path.parents[1] / "train_masks" / f"{path.stem}_mask.gif" for path in photos]
    photo = read_photo(photos[0])
    mask = read_mask(masks[0]).view(np.uint8)
    parts: dict[str, tuple[Callable[[Path], object], list[Path]]] = {
        "decode and check a photo": (read_photo, photos),
        "average a photo to 1024×1024": (lambda _: resize_by_area(photo, 1024, 1024), photos),
        "decode and check a mask": (MaskRules().read, masks),
        "average a mask to 1024×1024": (lambda _: resize_by_area(mask, 1024, 1024), masks),
    }
    for name, (part, paths) in parts.items():
        start = time.perf_counter()
        for path in paths:
            part(path)
        print(f"{name:30} {(time.perf_counter() - start) / len(paths) * 1e3:5.1f} ms")


def _goals_met(pairs_per_second: float, peak_gb: float) -> bool:
    return pairs_per_second >= PAIRS_PER_SECOND_GOAL and peak_gb < MEMORY_GOAL_GB


def measure(*command: str) -> tuple[float, float]:
    """Wall-clock seconds and peak resident gigabytes of a kedro command."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "kedro", *command],
            cwd=PROJECT,
            env=os.environ | {"DO_NOT_TRACK": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak = 0.0
        sampling = threading.Event()

        def sample() -> None:
            nonlocal peak
            while not sampling.wait(0.1):
                peak = max(peak, _resident_gb(process.pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        sampling.set()
        sampler.join()
        if code:
            output.seek(0)
            sys.exit(output.read().decode())
    return seconds, peak


def _resident_gb(pid: int) -> float:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        return sum(process.memory_info().rss for process in family) / 1e9
    except psutil.NoSuchProcess:
        return 0.0


if __name__ == "__main__":
    main()
