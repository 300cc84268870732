"""How fast this project's network is beside two known ones, on the same photos and cores.

    python benchmarks/peers.py FOLDER --python PYTHON --milesial CLONE [--photos 64] [--steps 16]

FOLDER holds real photos in Kaggle's layout. PYTHON belongs to an environment of its own, CLONE is a
copy of the repository, of which nothing is installed:

    python -m venv VENV
    VENV/bin/pip install torch torchvision segmentation-models-pytorch matplotlib tqdm
    git clone https://github.com/milesial/Pytorch-UNet CLONE

(PyTorch's own index has builds without CUDA, which are smaller.) All run with their defaults: this
project with `--env cpu`; milesial/Pytorch-UNet by its own train.py and predict.py; a U-Net of
segmentation_models.pytorch, which leaves training to its users, with loss and optimiser of its
binary example, on its default encoder and on a small one. This project's recipe shows smaller
photos and crops; a step on one whole photo, as the others take, stands beside it.

A training step is forward, backward and update. A predicted photo is all from its file to the mask
at native size, but for writing it. Each work of each peer has a process of its own; its peak memory
is given. Held to AVX2: ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2, before the command.
"""

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.core.processor import multiplies_bfloat16
from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.data.masks import read_mask
from car_segmentation.parameters import ProjectParameters
from efficiency import processor, project_parameters

PEERS = {
    "milesial/Pytorch-UNet": "milesial",
    "segmentation_models.pytorch, ResNet-34": "resnet34",
    "segmentation_models.pytorch, MobileNetV2": "mobilenet_v2",
}
PYTORCH_PART = Path(__file__).with_name("peers_pytorch.py")
Result = dict[str, Any]


def main() -> None:
    """Print a table of training steps and one of predicted photos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--python", help="an interpreter that has PyTorch", required=True)
    parser.add_argument("--milesial", type=Path, help="a copy of milesial/Pytorch-UNet")
    parser.add_argument("--env", default="cpu")
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--steps", type=int, default=16, help="timed, after one that is not")
    arguments = parser.parse_args()
    photos = sorted((arguments.raw_data / "train").glob("*.jpg"))[: arguments.photos]
    if len(photos) < arguments.photos:
        sys.exit(f"Skipped: there are only {len(photos)} photos in {arguments.raw_data}/train.")
    cores = len(os.sched_getaffinity(0))
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "none")
    print(f"{processor()}, {cores} cores, bfloat16 in hardware: {multiplies_bfloat16()}")
    print(f"ONEDNN_MAX_CPU_ISA: {limit}; {len(photos)} photos, {arguments.steps} steps")

    parts = {"training": (train_own, arguments.steps), "prediction": (predict_own, 0)}
    for work, (own, steps) in parts.items():
        print(f"\n{_HEADS[work]}")
        job = partial(own, arguments.env, photos, steps)
        for result in in_fresh_process(job, "This project"):
            _print_row("this project", work, result)
        for name, peer in PEERS.items():
            if peer == "milesial" and arguments.milesial is None:
                continue
            pytorch_job = {
                "peer": peer,
                "work": work,
                "photos": [str(photo.resolve()) for photo in photos],
                "steps": arguments.steps,
                "milesial": str(arguments.milesial),
                "threads": cores,
            }
            _print_row(name, work, _in_pytorch(arguments.python, pytorch_job))


_HEADS = {
    "training": (
        "| network | parameters | trained on | s a step | s a photo | peak GB |\n"
        "|---|---|---|---|---|---|"
    ),
    "prediction": (
        "| network | parameters | predicts | s a photo | peak GB |\n|---|---|---|---|---|"
    ),
}


def _print_row(name: str, work: str, result: Result) -> None:
    seconds, photos = result["seconds"], result["photos"]
    cells = [name, f"{result['parameters'] / 1e6:.2f} M", result["what"]]
    if work == "training":
        cells.append(f"{seconds:.3f}")
    else:
        cells[-1] = cells[-1].split(", float32,")[0]
    cells += [f"{seconds / photos:.3f}", f"{result['peak_gb']:.2f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def train_own(env: str, photos: list[Path], steps: int) -> list[Result]:
    """Time steps of the environment's training: at each of its stages, then on whole photos."""
    network, parameters, precision = _own_network(env)
    with suppress_native_stderr():
        from car_segmentation.networks.any_size import for_any_size
        from car_segmentation.training.batches import Batch
        from car_segmentation.training.compilation import compile_network
        from car_segmentation.training.devices import ONE_DEVICE
        from car_segmentation.training.steps import training_step

        settings, image = parameters.training, parameters.image
        stages = [(stage.height, stage.width) for stage in settings.stages]
        trained = for_any_size(network, stages) if stages else network
        compile_network(trained, settings)
        step = training_step(trained, ONE_DEVICE)

    whole = (image.height, image.width)
    works = [(size, settings.batch_size) for size in stages or [whole]] + [(whole, 1)]
    results = []
    for (height, width), batch_size in works:
        timed = []
        for number in range(steps + 1):
            chosen = [photos[(number * batch_size + k) % len(photos)] for k in range(batch_size)]
            masks = [p.parents[1] / "train_masks" / f"{p.stem}_mask.gif" for p in chosen]
            batch = Batch(
                np.stack([resize_by_area(read_photo(p), height, width) for p in chosen]),
                np.stack([_soft_mask(mask, height, width) for mask in masks]),
                None,
                batch_size,
            )
            start = time.perf_counter()
            step(batch)
            timed.append(time.perf_counter() - start)
        what = (
            f"{batch_size} × {width}×{height}, {precision}, {settings.optimizer}, {settings.loss}"
        )
        results.append(_own_result(network, what, statistics.median(timed[1:]), batch_size))
    return results


def predict_own(env: str, photos: list[Path], _: int) -> list[Result]:
    """Time from photos' files to their masks at native size, as `inference` makes them."""
    network, parameters, precision = _own_network(env)
    from car_segmentation.prediction.segmenter import Segmenter

    image, results = parameters.image, []
    for batch_size in (1, parameters.prediction.batch_size):
        options = parameters.prediction.model_copy(update={"batch_size": batch_size})
        segmenter = Segmenter.from_options(network, options)
        for _ in segmenter.probabilities(read_photo(photo) for photo in photos[:batch_size]):
            pass
        start = time.perf_counter()
        for probability in segmenter.probabilities(read_photo(photo) for photo in photos):
            _ = probability >= segmenter.threshold
        seconds = (time.perf_counter() - start) / len(photos)
        what = f"{batch_size} × {image.width}×{image.height}, {precision}, {options.backend}"
        results.append(_own_result(network, what, seconds, photos=1))
    return results


def _own_network(env: str) -> tuple[Any, ProjectParameters, str]:
    """The environment's network, untrained, in the precision that is fast on this processor."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.disable(logging.INFO)  # The table says which precision was chosen.
    with suppress_native_stderr():
        import keras

        from car_segmentation.networks.registry import build_network
        from car_segmentation.training.precision import precision, with_precision

        keras.utils.set_random_seed(0)
        parameters = project_parameters(env)
        chosen = with_precision(parameters.training).precision
        image, network = parameters.image, parameters.network
        with precision(chosen):
            built = build_network(
                network.architecture, image.height, image.width, **network.options
            )
    return built, parameters, chosen


def _own_result(network: Any, what: str, seconds: float, photos: int) -> Result:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {
        "what": what,
        "parameters": network.count_params(),
        "photos": photos,
        "seconds": seconds,
        "peak_gb": peak,
    }


def _soft_mask(path: Path, height: int, width: int) -> np.ndarray:
    mask = resize_by_area(read_mask(path).astype(np.float32), height, width)
    return mask[..., np.newaxis]


def _in_pytorch(python: str, job: dict[str, Any]) -> Result:
    done = subprocess.run(
        [python, PYTORCH_PART, json.dumps(job)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{job['peer']} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
