"""What each part of the `cpu` recipe brings: short trainings for as many pixels, one by one.

    python benchmarks/recipes.py FOLDER [NAME …]

FOLDER is a project with the real photos of `kedro run --env=cpu --pipelines=data_processing`. Each
training is that of `conf/cpu` but for what its row says, and shows as many pixels as the others of
its group: cost, but for the optimiser's own, is the same. Dice is the mean over the validation
photos at native size, with the threshold that is best for them: nothing here looks at test photos.
Trainings as short as these need less augmentation than the recipe: they have that of `conf/base`.
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack, read_stack
from car_segmentation.data.images import resize_by_area
from car_segmentation.data.splits import rows_of_split
from car_segmentation.hooks.config_loader import ProjectConfigLoader
from car_segmentation.parameters import (
    PredictionOptions,
    ProjectParameters,
    check_parameters,
    with_values,
)
from car_segmentation.settings import PROJECT_ROOT
from car_segmentation.training.stages import mean_area

SMALL = {"image.height": 320, "image.width": 512, "training.stages": []}
WHOLE = {"training.stages": []}
ADAMW = {
    "training.optimizer": "adamw",
    "training.learning_rate": 2e-3,
    "training.weight_decay": 1e-4,
    "training.batch_size": 4,
}
FORMER_RECIPE = {
    "network.context_weights": None,
    "augmentation.scale": 0.1,
    "augmentation.probability": 0.5,
    "augmentation.colour_probability": 0.0,
}
COLOURS = {
    "augmentation.hue": 30,
    "augmentation.saturation": 0.1,
    "augmentation.brightness": 0.1,
    "augmentation.colour_probability": 0.5,
}


def muon(batch_size: int, learning_rate: float) -> dict[str, Any]:
    """Muon with a learning rate that its batch size likes."""
    return {
        "training.optimizer": "muon",
        "training.batch_size": batch_size,
        "training.learning_rate": learning_rate,
    }


def stages(*parts: tuple[float, str, int, int]) -> dict[str, Any]:
    """Stages by their ends, kinds, heights and widths."""
    names = ("end_fraction", "mode", "height", "width")
    return {"training.stages": [dict(zip(names, part, strict=True)) for part in parts]}


RESIZED, CROPS = ("resize", 320, 512), ("crop", 448, 640)
SMALL_THEN_CROPS = stages((0.55, *RESIZED), (1.0, *CROPS))

GROUPS: dict[str, tuple[float, dict[str, dict[str, Any]]]] = {
    "small photos alone, 512×320": (
        373.0,
        {
            "AdamW, batches of 4": SMALL | ADAMW,
            "Muon, batches of 4": SMALL | muon(4, 2e-2),
            "Muon, batches of 2": SMALL | muon(2, 1.5e-2),
            "Muon, batches of 1": SMALL | muon(1, 1e-2),
            "Muon, batches of 2, colours varied": SMALL | COLOURS | muon(2, 1.5e-2),
        },
    ),
    "from small photos to crops": (
        1500.0,
        {
            "whole photos, AdamW": WHOLE | ADAMW,
            "small photos, then crops, AdamW": SMALL_THEN_CROPS | ADAMW,
            "whole photos": WHOLE,
            "crops": stages((1.0, *CROPS)),
            "small photos, then crops": SMALL_THEN_CROPS,
        },
    ),
}
"""Trainings by group and name, as changes of `conf/cpu`; with what the group may cost, in pixels of
so many whole photos."""
EPOCHS = 20
"""Parts of each training; stages end where one of them does."""
VALIDATED = 16
"""Photos that each part is validated on."""


def main() -> None:
    """Print a row after each training, and a table after each group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("names", nargs="*", help="trainings; all unless given")
    arguments = parser.parse_args()
    if not (arguments.project / "data/cpu/05_model_input/photo_splits.csv").is_file():
        sys.exit(f"Skipped: {arguments.project} has no photos that data_processing has prepared.")
    for group, (whole_photos, trainings) in GROUPS.items():
        rows = []
        for name, changes in trainings.items():
            if arguments.names and name not in arguments.names:
                continue
            print(f"{group}: {name}", flush=True)  # Above the epochs of its training.
            job = partial(trained_dice, arguments.project.absolute(), changes, whole_photos)
            minutes, dice, training_dice = in_fresh_process(job, name)
            rows.append(f"| {name} | {minutes:.1f} | {dice:.4f} | {training_dice:.4f} |")
            print(rows[-1], flush=True)
        if rows:
            print(f"\n| {group} | minutes | validation Dice | training Dice |\n|---|---|---|---|")
            print("\n".join(rows), end="\n\n", flush=True)


def trained_dice(
    project: Path, changes: dict[str, Any], whole_photos: float
) -> tuple[float, float, float]:
    """Minutes of a training, mean validation Dice at native size, Dice of the last batches."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress_native_stderr():
        import keras

        from car_segmentation.evaluation.threshold import search_threshold
        from car_segmentation.networks.registry import build_network
        from car_segmentation.prediction.segmenter import Segmenter
        from car_segmentation.training.batches import PhotoBatches
        from car_segmentation.training.precision import precision, with_precision
        from car_segmentation.training.trainer import train

    whole = _parameters({})
    parameters = _parameters(changes)
    image, settings = parameters.image, with_precision(parameters.training)
    small = (image.height * image.width) / (whole.image.height * whole.image.width)
    area = small * mean_area(settings.stages, image.height, image.width)
    settings = settings.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS})

    splits = pd.read_csv(project / "data/cpu/05_model_input/photo_splits.csv", dtype=str)
    splits["mask_path"] = [str(project / path) for path in splits["mask_path"]]
    validation = rows_of_split(splits, "validation")
    size = image.height, image.width
    photos = _resized(read_stack(project / "data/cpu/05_model_input/photos"), *size)
    masks = _resized(read_stack(project / "data/cpu/02_intermediate/soft_masks"), *size)
    keras.utils.set_random_seed(parameters.seed)
    with precision(settings.precision):
        network = build_network(
            parameters.network.architecture, *size, **parameters.network.options
        )
    varied = Augmentation(**parameters.augmentation.model_dump(exclude={"min_in_frame"}))
    training_batches = PhotoBatches(
        photos,
        masks,
        rows_of_split(splits, "train")["photo_id"].tolist(),
        settings.batch_size,
        varied,
        seed=parameters.seed,
        photos_per_epoch=round(whole_photos / area / EPOCHS),
        workers=settings.loader_workers,
    )
    some = validation["photo_id"].tolist()[:: max(1, len(validation) // VALIDATED)]
    validation_batches = PhotoBatches(photos, masks, some, settings.batch_size)
    start = time.perf_counter()
    history = train(network, training_batches, validation_batches, settings, lambda *_: None)
    minutes = (time.perf_counter() - start) / 60
    segmenter = Segmenter.from_options(network, PredictionOptions(batch_size=4))
    found = search_threshold(segmenter, photos, validation)
    return minutes, found.best_dice, history["dice"][-1]


def _parameters(changes: dict[str, Any]) -> ProjectParameters:
    loader = ProjectConfigLoader(
        str(PROJECT_ROOT / "conf"), env="cpu", base_env="base", default_run_env="local"
    )
    given = loader["parameters"]
    groups = {name: given[name] for name in ("augmentation", "image", "network", "training")}
    return check_parameters(given | with_values(groups, FORMER_RECIPE | changes))


def _resized(stack: ImageStack, height: int, width: int) -> ImageStack:
    if stack.pixels.shape[1:3] == (height, width):
        return stack
    pixels = np.stack([resize_by_area(image, height, width) for image in stack.pixels])
    return ImageStack(stack.ids, pixels, stack.notes)


if __name__ == "__main__":
    main()
