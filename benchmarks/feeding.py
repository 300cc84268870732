"""How fast photos reach the network, and whether it ever waits for them.

    python benchmarks/feeding.py FOLDER [--env cpu]

FOLDER holds real photos in Kaggle's layout. First the loader alone, in a process of its own on two
cores: batches at 512×512, as the threads of a training read and augment them, with the
environment's augmentation, with every photo warped, and with all that augmentation can do; goal:
150 photos a second. Then the environment's network: trained through the project, checkpoints
included, against the same network in Keras' `fit` on one constant batch in memory; goal: 95 % of
its speed. Both see one validation batch an epoch. They take turns, and the first epoch of each
turn, which compiles, does not count.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import read_stack
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from car_segmentation.hooks.config_loader import ProjectConfigLoader
from car_segmentation.parameters import ProjectParameters, Training, check_parameters
from car_segmentation.settings import PROJECT_ROOT

LOADER_SIZE = 512
LOADER_CORES = 2
LOADER_BATCH = 8
LOADER_ROUNDS = 5
"""Times that all photos are read; the first round, which reads the disk, does not count."""
ALL_VARIED: dict[str, Any] = {
    "probability": 1.0,
    "hue": 30,
    "saturation": 0.1,
    "brightness": 0.1,
    "colour_probability": 1.0,
}
PHOTOS_PER_SECOND_GOAL = 150
SHARE_GOAL = 0.95


def main() -> None:
    """Print the speed of the loader, then that of training with and without it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--env", default="cpu", help="whose network and training is fed")
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3, help="of each turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--part", choices=["loader", "training"], help="one of the two alone")
    arguments = parser.parse_args()
    paths = sorted((arguments.raw_data / "train").glob("*.jpg"))[: arguments.photos]
    if len(paths) < arguments.photos:
        sys.exit(f"Skipped: there are only {len(paths)} photos in {arguments.raw_data}/train.")
    parameters = _parameters(arguments.env)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.part != "training":
            small = Path(folder) / "loader"
            _write_stacks(small, paths, LOADER_SIZE, LOADER_SIZE)
            given = _augmentation(parameters)
            for name, varied in (
                (f"augmentation of {arguments.env}", given),
                ("every photo warped", replace(given, probability=1.0)),
                ("every photo warped and its colours varied", replace(given, **ALL_VARIED)),
            ):
                speed, cpu = in_fresh_process(partial(loader_speed, small, varied), "The loader")
                print(
                    f"loader alone, {LOADER_SIZE}×{LOADER_SIZE}, {LOADER_CORES} cores, {name}: "
                    f"{speed:.0f} photos/s, {cpu:.1f} ms of CPU each   "
                    f"goal {'met' if speed >= PHOTOS_PER_SECOND_GOAL else 'missed'}"
                )
        if arguments.part != "loader":
            full = Path(folder) / "training"
            _write_stacks(full, paths, parameters.image.height, parameters.image.width)
            _compare_trainings(full, parameters, arguments.epochs, arguments.turns)


def loader_speed(stacks: Path, augmentation: Augmentation) -> tuple[float, float]:
    """Photos a second, and milliseconds of CPU for each."""
    if hasattr(os, "sched_setaffinity"):  # Linux.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:LOADER_CORES])
    with suppress_native_stderr():
        batches = _batches(stacks, LOADER_BATCH, augmentation, LOADER_CORES)
    start = cpu_start = 0.0
    photos = 0
    for turn in range(LOADER_ROUNDS):
        if turn == 1:
            start, cpu_start = time.perf_counter(), time.process_time()
        photos = sum(batch.size for batch in batches.epoch(turn))
    photos *= LOADER_ROUNDS - 1
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return photos / wall, 1000 * cpu / photos


def _compare_trainings(
    stacks: Path, parameters: ProjectParameters, epochs: int, turns: int
) -> None:
    """Print photos a second with the loader and without it, and their ratio."""
    from car_segmentation.training.precision import with_precision

    settings = with_precision(parameters.training).model_copy(
        update={"epochs": epochs + 1, "patience": epochs + 1, "stages": ()}
    )
    photos = len(read_stack(stacks / "photos").ids)
    seconds: dict[Any, list[float]] = {_train_through_project: [], _train_on_one_batch: []}
    for turn in range(turns):
        for way in list(seconds)[:: 1 if turn % 2 else -1]:
            seconds[way] += way(stacks, parameters, settings)[1:]
    # Other work on the machine only ever makes an epoch slower: the best ones are compared.
    fed, constant = (photos / min(each) for each in seconds.values())
    spread = ", ".join(
        f"{photos / max(each):.2f} to {photos / min(each):.2f}" for each in seconds.values()
    )
    image, share = parameters.image, fed / constant
    print(
        f"training at {image.width}×{image.height}, batches of {settings.batch_size}: "
        f"{fed:.2f} photos/s through the project, {constant:.2f} on one constant batch "
        f"(the best of {len(seconds[_train_on_one_batch])} epochs; {spread})\n"
        f"ratio: {share:.1%}   goal {'met' if share >= SHARE_GOAL else 'missed'}"
    )


def _train_through_project(
    stacks: Path, parameters: ProjectParameters, settings: Training
) -> list[float]:
    """Seconds of each epoch of a training as the modelling pipeline does it."""
    from car_segmentation.training.checkpoints import Checkpoint
    from car_segmentation.training.trainer import train

    with tempfile.TemporaryDirectory() as folder:
        ends = [time.perf_counter()]
        train(
            _network(parameters),
            _batches(
                stacks, settings.batch_size, _augmentation(parameters), settings.loader_workers
            ),
            _one_batch(stacks, settings.batch_size),
            settings,
            lambda *_: ends.append(time.perf_counter()),
            Checkpoint(Path(folder)),
        )
    return np.diff(ends).tolist()


def _train_on_one_batch(
    stacks: Path, parameters: ProjectParameters, settings: Training
) -> list[float]:
    """Seconds of each epoch of the same steps on one batch that is in memory."""
    from car_segmentation.training.compilation import compile_network
    from car_segmentation.training.devices import ONE_DEVICE
    from car_segmentation.training.steps import training_step, validation_step

    batches = len(_batches(stacks, settings.batch_size))
    batch = next(_one_batch(stacks, settings.batch_size).epoch())
    network = _network(parameters)
    compile_network(network, settings)
    train, validate = training_step(network, ONE_DEVICE), validation_step(network, ONE_DEVICE)
    ends = [time.perf_counter()]
    for _ in range(settings.epochs):
        for _ in range(batches):
            train(batch)
        validate(batch)
        ends.append(time.perf_counter())
    return np.diff(ends).tolist()


def _network(parameters: ProjectParameters) -> Any:
    import keras

    from car_segmentation.networks.registry import build_network
    from car_segmentation.training.precision import precision, with_precision

    keras.utils.set_random_seed(parameters.seed)
    network, image = parameters.network, parameters.image
    with precision(with_precision(parameters.training).precision):
        return build_network(network.architecture, image.height, image.width, **network.options)


def _batches(
    stacks: Path,
    batch_size: int,
    augmentation: Augmentation | None = None,
    workers: int = 1,
) -> Any:
    from car_segmentation.training.batches import PhotoBatches

    photos, masks = read_stack(stacks / "photos"), read_stack(stacks / "masks")
    return PhotoBatches(photos, masks, list(photos.ids), batch_size, augmentation, workers=workers)


def _one_batch(stacks: Path, batch_size: int) -> Any:
    """The first batch of photos, as a data set of one batch."""
    from car_segmentation.training.batches import PhotoBatches

    photos, masks = read_stack(stacks / "photos"), read_stack(stacks / "masks")
    return PhotoBatches(photos, masks, list(photos.ids[:batch_size]), batch_size)


def _augmentation(parameters: ProjectParameters) -> Augmentation:
    return Augmentation(**parameters.augmentation.model_dump(exclude={"min_in_frame"}))


def _parameters(env: str) -> ProjectParameters:
    loader = ProjectConfigLoader(
        str(PROJECT_ROOT / "conf"), env=env, base_env="base", default_run_env="local"
    )
    return check_parameters(loader["parameters"])


def _write_stacks(folder: Path, paths: list[Path], height: int, width: int) -> None:
    ids, photos = [path.stem for path in paths], [str(path) for path in paths]
    masks = [str(path.parents[1] / "train_masks" / f"{path.stem}_mask.gif") for path in paths]
    write_resized_photos(folder / "photos", ids, photos, height, width)
    write_resized_masks(folder / "masks", ids, masks, height, width)


if __name__ == "__main__":
    main()
