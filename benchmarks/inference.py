"""How fast `inference` is beside its limit, how much memory it takes, and how good its masks are.

    python benchmarks/inference.py PHOTOS --model MODEL --truth MASKS --scores photo_scores.csv

PHOTOS is a folder of real photos that the model has not seen; the model is the project's own,
data/cpu/06_models/model.keras, unless another one is given. The limit is what photos cost if
decoding, the bare network and PNG encoding are timed alone, one after the other, each with all
cores. Whole `kedro run`s are timed for two numbers of photos; the difference leaves Kedro's and
Keras' start out. With MASKS, a folder of true masks in Kaggle's names, Dice is taken of every photo
that has one, and with the report's table of the same model (data/cpu/08_reporting) compared with
what reporting found. Goals: 85 % of the limit, the same memory for both numbers, and the Dice of
reporting.
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
import pandas as pd

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import map_photos
from car_segmentation.data.images import PHOTO_SUFFIXES, read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.segmenter import Segmenter
from data_processing import PROJECT, measure

SHARE_OF_LIMIT_GOAL = 0.85
MEMORY_GOAL = 1.05
"""Memory for many photos by that for few; less than one photo's native pixels more is noise."""
DICE_GOAL = 1e-4
SAMPLE = 32
BATCH = 4


def main() -> None:
    """Print the cost of each part alone, the speed and memory of whole runs, and their Dice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", type=Path, default=PROJECT / "data/cpu/06_models/model.keras")
    parser.add_argument("--truth", type=Path, help="true masks, NAME_mask.gif or .png")
    parser.add_argument("--scores", type=Path, help="photo_scores.csv of the model's report")
    parser.add_argument("--backend", default="keras", help="prediction.backend: openvino, say")
    parser.add_argument("--numbers", type=int, nargs=2, default=[64, 512])
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.photos.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    if not files:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    few, many = arguments.numbers
    if len(files) < many:
        print(f"{arguments.photos} has {len(files)} photos: some are taken again, renamed")

    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in (few, many):
            place = Path(folder) / str(number)
            runs.append(_run(files, number, place, arguments.model.resolve(), arguments.backend))
            print(f"{number:6} photos: {runs[-1][0]:7.1f} s   peak {runs[-1][1]:.2f} GB")
        masks = Path(folder) / str(many) / "predictions" / "masks"
        sample = [read_mask(mask) for mask in sorted(masks.iterdir())[:SAMPLE]]
        limit = _limit(files[:SAMPLE], sample, arguments.model, arguments.backend)
        if arguments.truth is not None:
            _print_dice(masks, files[:many], arguments.truth, arguments.scores)
    speed = (many - few) / (runs[1][0] - runs[0][0])
    verdict = _verdict(speed >= SHARE_OF_LIMIT_GOAL * limit)
    print(f"{speed:.2f} photos/s, {speed / limit:.0%} of {limit:.2f}   {verdict}")
    growth = runs[1][1] / runs[0][1]
    print(f"memory {growth:.1%} of that for {few} photos   {_verdict(growth <= MEMORY_GOAL)}")


def _run(
    files: Sequence[Path], number: int, folder: Path, model: Path, backend: str
) -> tuple[float, float]:
    photos, predictions = folder / "photos", folder / "predictions"
    photos.mkdir(parents=True)
    for index in range(number):
        path, again = files[index % len(files)], index // len(files)
        name = f"{path.stem}-again{again}{path.suffix}" if again else path.name
        (photos / name).symlink_to(path.resolve())
    parameters = f"photos={photos},predictions={predictions},model={model}"
    parameters += f",prediction.backend={backend},prediction.batch_size={BATCH}"
    return measure("run", "--pipelines=inference", f"--params={parameters}")


def _limit(
    files: Sequence[Path], masks: Sequence[np.ndarray], model_file: Path, backend: str
) -> float:
    """Photos a second if each part had all cores and nothing else had to be done."""
    with suppress_native_stderr():
        model = KerasModelDataset(str(model_file)).load()
        options = PredictionOptions.model_validate({"batch_size": BATCH, "backend": backend})
        segmenter = Segmenter.from_options(model, options)
        batch = [segmenter.resize(read_photo(file)) for file in files[:BATCH]]
        segmenter.predict_batch(batch)
    decoding = _timed(lambda: map_photos(read_photo, files, len(files), "decode", "threads"))
    batches = len(files) // BATCH
    network = _timed(lambda: [segmenter.predict_batch(batch) for _ in range(batches)])
    encoding = _timed(lambda: map_photos(_encode, masks, len(masks), "encode", "threads"))
    parts = {
        "decode": decoding / len(files),
        "network": network / (batches * BATCH),
        "encode": encoding / len(masks),
    }
    for part, seconds in parts.items():
        print(f"{part:>8}: {1000 * seconds:6.1f} ms a photo, alone on all cores")
    return 1 / sum(parts.values())


def _print_dice(masks: Path, files: Sequence[Path], truth: Path, scores: Path | None) -> None:
    """Print the mean Dice of photos that have a true mask, and how far it is from reporting's."""
    true_masks = {path.stem.removesuffix("_mask"): path for path in truth.iterdir()}
    known = [path.stem for path in files if path.stem in true_masks]

    def dice(photo: str) -> float:
        return score_mask(read_mask(masks / f"{photo}.png"), read_mask(true_masks[photo])).dice

    found = map_photos(dice, known, len(known), "score", "threads")
    here = pd.Series(found, index=known, dtype=float)
    print(f"Dice {here.mean():.5f}, the mean of {len(here)} photos with a true mask")
    if scores is None:
        return
    reported = pd.read_csv(scores, dtype={"photo_id": str}).set_index("photo_id")["dice"]
    both = reported.index.intersection(here.index)
    farthest = (here[both] - reported[both]).abs().max()
    print(
        f"of {len(both)} photos that reporting scored: {here[both].mean():.5f} here, "
        f"{reported[both].mean():.5f} there, at most {farthest:.1e} apart   "
        f"{_verdict(abs(here[both].mean() - reported[both].mean()) <= DICE_GOAL)}"
    )


def _encode(mask: np.ndarray) -> None:
    cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _verdict(met: bool) -> str:
    return "goal met" if met else "goal missed"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
