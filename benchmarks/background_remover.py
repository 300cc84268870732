"""What a general background remover makes of the same photos: OpenCV's GrabCut.

    python benchmarks/background_remover.py MODEL FOLDER --car CAR [--sheet sheet.png]

MODEL is a .keras file with threshold.json beside it; FOLDER holds photos in Kaggle's layout, of
which the 16 views of CAR are cut out by both. GrabCut (Rother et al. 2004) knows nothing but that
the object lies inside the frame's inner 96 %; it works on 640 pixels of width, in five iterations.
The sheet shows both cut-outs on white, side by side.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.scores import dice
from car_segmentation.networks.model_file import read_model
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.composites import Backdrop, composite
from car_segmentation.prediction.cutouts import cut_out
from car_segmentation.prediction.photo_files import write_picture
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.threshold_file import threshold_beside
from car_segmentation.report.contact_sheets import photo_sheet

WIDTH = 640
"""Pixels of width that GrabCut works on."""
MARGIN = 0.02
"""Fraction of height and width, at each edge of the frame, that GrabCut takes for background."""
ITERATIONS = 5
WHITE = Backdrop(np.full((1, 1, 3), 255, np.uint8))


def main() -> None:
    """Print the Dice of both for each view, and their means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--car", required=True)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    paths = sorted((arguments.folder / "train").glob(f"{arguments.car}_*.jpg"))
    if not paths:
        sys.exit(f"Skipped: there are no photos of {arguments.car} in {arguments.folder}/train.")
    segmenter = Segmenter.from_options(
        read_model(arguments.model), PredictionOptions(), threshold_beside(arguments.model)
    )
    scores: list[tuple[float, float]] = []

    def pictures() -> Iterator[np.ndarray]:
        for path in paths:
            photo = read_photo(path)
            truth = read_mask(arguments.folder / "train_masks" / f"{path.stem}_mask.gif")
            maps = [grab_cut(photo), segmenter.probability(photo)]
            cuts = (0.5, segmenter.threshold)
            found = [dice(each >= cut, truth) for each, cut in zip(maps, cuts, strict=True)]
            scores.append((found[0], found[1]))
            print(f"{path.stem}: GrabCut {found[0]:.4f}, the model {found[1]:.4f}")
            for each, cut in zip(maps, cuts, strict=True):
                yield composite(cut_out(photo, each, cut), WHITE.behind(*truth.shape))

    captions = [f"{path.stem} {by}" for path in paths for by in ("GrabCut", "the model")]
    sheet = photo_sheet(pictures(), captions, columns=4, cell_width=480)
    by_grab_cut, by_model = np.mean(scores, axis=0)
    print(f"mean of {len(paths)} views: GrabCut {by_grab_cut:.4f}, the model {by_model:.4f}")
    if arguments.sheet:
        write_picture(arguments.sheet, sheet)


def grab_cut(photo: np.ndarray) -> np.ndarray:
    """The object as GrabCut finds it: float32 (height, width), 0 or 1, soft at the edge."""
    height, width = photo.shape[:2]
    small = resize_by_area(photo, round(height * WIDTH / width), WIDTH)
    rows, columns = small.shape[:2]
    left, top = round(MARGIN * columns), round(MARGIN * rows)
    frame = (left, top, columns - 2 * left, rows - 2 * top)
    labels = np.zeros((rows, columns), np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(small, labels, frame, background, foreground, ITERATIONS, cv2.GC_INIT_WITH_RECT)
    is_object = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return to_native_size(is_object.astype(np.float32), height, width)


if __name__ == "__main__":
    main()
