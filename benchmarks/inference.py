"""How fast `inference` is beside its limit, and how much memory it takes.

    python benchmarks/inference.py FOLDER

FOLDER holds real photos; the model is the project's own, data/06_models/model.keras. The limit is
what photos cost if decoding, the bare network and PNG encoding are timed alone, one after the
other, each with all cores. Whole `kedro run`s are timed for two numbers of photos; the difference
leaves Kedro's and Keras' start out. Goals: 85 % of the limit, and the same memory for both.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.parallel import map_in_threads
from car_segmentation.photos import PHOTO_SUFFIXES, read_mask, read_photo, resize_by_area
from data_processing import PROJECT, measure

SHARE_OF_LIMIT_GOAL = 0.85
SAMPLE = 32
BATCH = 4


def main() -> None:
    """Print the cost of each part alone, and the speed and memory of whole runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--numbers", type=int, nargs=2, default=[64, 512])
    arguments = parser.parse_args()
    files = [path for path in arguments.photos.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES]
    few, many = arguments.numbers
    if len(files) < many:
        sys.exit(f"Skipped: there are fewer than {many} photos in {arguments.photos}.")

    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in (few, many):
            runs.append(_run(sorted(files)[:number], Path(folder) / str(number)))
            print(f"{number:6} photos: {runs[-1][0]:7.1f} s   peak {runs[-1][1]:.2f} GB")
        masks = sorted((Path(folder) / str(many) / "predictions" / "masks").iterdir())[:SAMPLE]
        limit = _limit(sorted(files)[:SAMPLE], [read_mask(mask) for mask in masks])
    speed = (many - few) / (runs[1][0] - runs[0][0])
    verdict = "met" if speed >= SHARE_OF_LIMIT_GOAL * limit else "missed"
    print(f"{speed:.2f} photos/s, {speed / limit:.0%} of {limit:.2f}   goal {verdict}")


def _run(files: Sequence[Path], folder: Path) -> tuple[float, float]:
    photos, predictions = folder / "photos", folder / "predictions"
    photos.mkdir(parents=True)
    for path in files:
        (photos / path.name).symlink_to(path.resolve())
    parameters = f"--params=photos={photos},predictions={predictions}"
    return measure("run", "--pipelines=inference", parameters)


def _limit(files: Sequence[Path], masks: Sequence[np.ndarray]) -> float:
    """Photos a second if each part had all cores and nothing else had to be done."""
    model = KerasModelDataset(str(PROJECT / "data/06_models/model.keras")).load()
    batch = np.stack(
        [resize_by_area(read_photo(f), *model.input_shape[1:3]) for f in files[:BATCH]]
    )
    model.predict_on_batch(batch)
    decoding = _timed(lambda: map_in_threads(read_photo, files, len(files), "decode"))
    network = _timed(lambda: [model.predict_on_batch(batch) for _ in range(len(files) // BATCH)])
    encoding = _timed(lambda: map_in_threads(_encode, masks, len(masks), "encode"))
    parts = {"decode": decoding, "network": network, "encode": encoding}
    for part, seconds in parts.items():
        print(f"{part:>8}: {1000 * seconds / len(files):6.1f} ms a photo, alone on all cores")
    return len(files) / sum(parts.values())


def _encode(mask: np.ndarray) -> None:
    cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
