"""How fast this checkout trains and predicts beside another one, an older one say.

    python benchmarks/against.py OTHER FOLDER [--env cpu] [--precision float32] [--turns 2]

OTHER is a clone of the project, FOLDER holds real photos in Kaggle's layout. Both checkouts take
turns on the same photos, each turn in a process of its own: epochs of each stage of their
environment's recipe, loader, validation of one batch and checkpoints included, as the
`benchmarks/feeding.py` of each has it; then predictions of photos in memory at the input size, to
probabilities. Of each work the fastest epoch or pass counts, for other work on the machine only
ever makes it slower. ONEDNN_MAX_CPU_ISA=AVX2, before the command, holds both to AVX2.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parents[1]
BATCH = 4
"""Photos that are predicted at a time."""
PASSES = 3
Turn = dict[str, dict[str, float]]
"""Photos a second, and the kernel's share of the processor time, of each work."""


def main() -> None:
    """Print a table of photos a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--env", default="cpu")
    parser.add_argument("--precision", default="float32", help="of both; or mixed_bfloat16")
    parser.add_argument("--backend", default="keras", help="what predicts in this checkout")
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2, help="timed, of each stage and turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--checkout", type=Path, help=argparse.SUPPRESS)  # Of a turn's process.
    arguments = parser.parse_args()
    if arguments.checkout is not None:
        print(json.dumps(_take_turn(arguments)))
        return
    photos = len(list((arguments.raw_data / "train").glob("*.jpg")))
    if photos < arguments.photos:
        sys.exit(f"Skipped: there are only {photos} photos in {arguments.raw_data}/train.")
    checkouts = (HERE, arguments.other.resolve())
    turns: dict[Path, list[Turn]] = {checkout: [] for checkout in checkouts}
    for turn in range(arguments.turns):
        for checkout in checkouts[:: -1 if turn % 2 else 1]:
            turns[checkout].append(_in_own_process(checkout))

    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "none")
    print(f"{os.cpu_count()} cores, ONEDNN_MAX_CPU_ISA: {limit}, {arguments.precision}")
    print("| | photos/s here | in the other | ratio | kernel here | in the other |")
    print("|---|---|---|---|---|---|")
    here, other = (turns[checkout] for checkout in checkouts)
    for work in here[0] | other[0]:
        speeds = [_best(max, part, work, "speed") for part in (here, other)]
        kernels = [_best(min, part, work, "kernel") for part in (here, other)]
        cells = [f"{speed:.2f}" for speed in (*speeds, speeds[0] / speeds[1])]
        cells += [f"{kernel:.0%}" for kernel in kernels]
        print(f"| {work} | {' | '.join(cells).replace('nan%', '–').replace('nan', '–')} |")


def _best(choose: Callable[..., float], turns: list[Turn], work: str, figure: str) -> float:
    """The best of all turns; NaN for a work that only the other checkout has."""
    return choose(turn.get(work, {}).get(figure, float("nan")) for turn in turns)


def _in_own_process(checkout: Path) -> Turn:
    """Run this file again, with the modules of a checkout."""
    command = [sys.executable, __file__, *sys.argv[1:], "--checkout", str(checkout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{checkout} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _take_turn(arguments: argparse.Namespace) -> Turn:
    # Before the folder of this file, and before a checkout that is installed.
    sys.path[:0] = [str(arguments.checkout / folder) for folder in ("benchmarks", "src")]
    import feeding  # The functions used here are the same in both.

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parameters = feeding._parameters(arguments.env)
    epochs = arguments.epochs + 1  # The first one compiles.
    training = parameters.training.model_copy(
        update={"precision": arguments.precision, "epochs": epochs, "patience": epochs}
    )
    parameters = parameters.model_copy(update={"training": training})
    image = parameters.image
    paths = sorted((arguments.raw_data.resolve() / "train").glob("*.jpg"))[: arguments.photos]
    turn: Turn = {}
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder)
        feeding._write_stacks(stacks, paths, image.height, image.width)
        fractions = _fractions(training.stages)
        for (width, height), stages, _ in fractions or [((image.width, image.height), (), 1.0)]:
            settings = training.model_copy(update={"stages": stages})
            before = resource.getrusage(resource.RUSAGE_SELF)
            seconds = feeding._train_through_project(stacks, parameters, settings)[1:]
            turn[f"training at {width}×{height}"] = {
                "speed": len(paths) / min(seconds),
                "kernel": _kernel_share(before),
            }
        if fractions:
            costs = [
                share / turn[f"training at {width}×{height}"]["speed"]
                for (width, height), _, share in fractions
            ]
            turn["training, mean over the recipe"] = {"speed": 1 / sum(costs)}

        photos = feeding.read_stack(stacks / "photos").pixels
        backend = arguments.backend if arguments.checkout == HERE else "keras"
        predict = _predictor(feeding._network(parameters), parameters, backend)
        before, seconds = resource.getrusage(resource.RUSAGE_SELF), []
        for _ in range(PASSES + 1):
            start = time.perf_counter()
            for first in range(0, len(photos), BATCH):
                predict(np.array(photos[first : first + BATCH]))
            seconds.append(time.perf_counter() - start)
        turn[f"prediction at {image.width}×{image.height}"] = {
            "speed": len(photos) / min(seconds[1:]),
            "kernel": _kernel_share(before),
        }
    return turn


def _fractions(stages: tuple[Any, ...]) -> list[tuple[tuple[int, int], tuple[Any, ...], float]]:
    """Width and height of each stage, the stage as the only one, and its fraction of the epochs."""
    fractions, before = [], 0.0
    for stage in stages:
        end = "end_fraction" if hasattr(stage, "end_fraction") else "until"  # Its former name.
        alone = (stage.model_copy(update={end: 1.0}),)
        fractions.append(((stage.width, stage.height), alone, getattr(stage, end) - before))
        before = getattr(stage, end)
    return fractions


def _predictor(network: Any, parameters: Any, backend: str) -> Callable[[np.ndarray], Any]:
    """From a batch of photos to probabilities, as the checkout predicts."""
    try:
        from car_segmentation.prediction.segmenter import Segmenter
    except ModuleNotFoundError:  # An older checkout.
        return lambda photos: np.asarray(network.predict_on_batch(photos))
    options = parameters.prediction.model_copy(update={"batch_size": BATCH, "backend": backend})
    segmenter = Segmenter.from_options(network, options)
    return lambda photos: segmenter.predict_batch(list(photos))


def _kernel_share(before: resource.struct_rusage) -> float:
    """The kernel's share of this process's processor time since then, compiling included."""
    after = resource.getrusage(resource.RUSAGE_SELF)
    kernel, user = after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime
    return kernel / (kernel + user)


if __name__ == "__main__":
    main()
