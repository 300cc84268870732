"""How near the network's arithmetic comes to what the processor can multiply.

    python benchmarks/efficiency.py [--env cpu] [--steps 5] [--precisions float32 mixed_bfloat16]

For training, at each size of the environment's stages, and for prediction: seconds a photo, GFLOP/s
of the convolutions as they run, and beside them those of a large matrix product in the same
precision, on the same cores, in the same process: the limit. Then minor page faults a step, the
kernel's share of the processor time, and the peak memory of the process until then. A second table
has the forward time by kind of layer, each layer alone. Photos are noise: the time does not depend
on them. ONEDNN_MAX_CPU_ISA=AVX2 holds a newer processor to AVX2.
"""

import argparse
import logging
import os
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.core.processor import multiplies_bfloat16
from car_segmentation.hooks.config_loader import ProjectConfigLoader
from car_segmentation.parameters import ProjectParameters, check_parameters
from car_segmentation.settings import PROJECT_ROOT

PRODUCT = 4096
"""Rows and columns of the matrices whose product is the limit."""


def main() -> None:
    """Print both tables for each precision, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="cpu")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"])
    arguments = parser.parse_args()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "none")
    print(f"{processor()}, {os.cpu_count()} cores, bfloat16 in hardware: {multiplies_bfloat16()}")
    print(f"ONEDNN_MAX_CPU_ISA: {limit}")
    for precision in arguments.precisions:
        job = partial(print_tables, arguments.env, precision, arguments.steps)
        in_fresh_process(job, precision)


def print_tables(env: str, precision: str, steps: int) -> None:
    """Measure the environment's network in one precision."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress_native_stderr():
        import keras

        from car_segmentation.networks.folding import fold_batch_norm
        from car_segmentation.networks.registry import build_network
        from car_segmentation.training.precision import precision as keras_precision

        parameters = project_parameters(env)
        image = parameters.image
        with keras_precision(precision):
            network = build_network(
                parameters.network.architecture,
                image.height,
                image.width,
                **parameters.network.options,
            )
            product = keras.Sequential(
                [keras.Input((PRODUCT,)), keras.layers.Dense(PRODUCT, use_bias=False)]
            )
    rows = np.ones((PRODUCT, PRODUCT), np.float32)
    limit = 2 * PRODUCT**3 / 1e9 / _seconds(lambda: product.predict_on_batch(rows), steps).wall
    print(f"\n{precision}: a matrix product of {PRODUCT} reaches {limit:.0f} GFLOP/s\n")
    print(
        "| work | s a photo | GFLOP a photo | GFLOP/s | of the limit | faults | kernel | peak GB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    forward, backward = gigaflop(network)
    for name, photos, share, trains, call in _works(network, parameters):
        cost = _seconds(call, steps)
        work = share * (forward + backward * trains)
        speed = work * photos / cost.wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"| {name} | {cost.wall / photos:.3f} | {work:.1f} | {speed:.0f} | {speed / limit:.0%} "
            f"| {cost.faults:.0f} | {cost.kernel:.0%} | {peak:.2f} |",
            flush=True,
        )
    print("\n| kind of layer | forward seconds a photo | share |\n|---|---|---|")
    by_kind = _seconds_by_kind(fold_batch_norm(network), steps)
    for kind, seconds in sorted(by_kind.items(), key=lambda item: -item[1]):
        print(f"| {kind} | {seconds:.4f} | {seconds / sum(by_kind.values()):.0%} |")


def gigaflop(network) -> tuple[float, float]:  # type: ignore[no-untyped-def]  # A Keras model.
    """Multiplications and additions of the convolutions for one photo, in 10⁹.

    Forward, then those of the gradients: for the layers below, and for the kernels. Layers that are
    not trained have none of these here: they stand below all that are.
    """
    import keras

    convolutions = (
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.DepthwiseConv2D,
    )
    forward = backward = 0.0
    for layer in _layers(network):
        if isinstance(layer, convolutions):
            # Each value of a kernel meets each place of the smaller of both pictures once.
            places = min(np.prod(layer.input.shape[1:3]), np.prod(layer.output.shape[1:3]))
            work = 2 * int(np.prod(layer.kernel.shape)) * int(places) / 1e9
            forward += work
            backward += 2 * work * layer.trainable
    return forward, backward


def _layers(network) -> Iterator:  # type: ignore[no-untyped-def,type-arg]
    """All layers, also those of networks that are layers."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _works(  # type: ignore[no-untyped-def]
    network, parameters: ProjectParameters
) -> Iterator[tuple[str, int, float, bool, Callable[[], object]]]:
    """Name, photos a call, share of the full size's work, if it trains, and the work itself."""
    from car_segmentation.networks.any_size import for_any_size
    from car_segmentation.networks.folding import fold_batch_norm
    from car_segmentation.training.batches import Batch
    from car_segmentation.training.compilation import compile_network
    from car_segmentation.training.devices import ONE_DEVICE
    from car_segmentation.training.steps import training_step

    settings, image = parameters.training, parameters.image
    noise = np.random.default_rng(0)
    photos = parameters.prediction.batch_size
    batch = noise.integers(0, 256, (photos, image.height, image.width, 3), np.uint8)
    predicting = fold_batch_norm(network)
    yield (
        f"prediction, {photos} × {image.width}×{image.height}",
        photos,
        1.0,
        False,
        lambda: predicting.predict_on_batch(batch),
    )
    sizes = [(stage.height, stage.width) for stage in settings.stages]
    trained = for_any_size(network, sizes) if sizes else network
    compile_network(trained, settings)
    step = training_step(trained, ONE_DEVICE)
    photos = settings.batch_size
    for height, width in sizes or [(image.height, image.width)]:
        drawn = Batch(
            noise.integers(0, 256, (photos, height, width, 3), np.uint8),
            noise.integers(0, 2, (photos, height, width, 1)).astype(np.float32),
            None,
            photos,
        )
        yield (
            f"training, {photos} × {width}×{height}",
            photos,
            height * width / (image.height * image.width),
            True,
            partial(step, drawn),
        )


class _Cost:
    """Means over several calls: wall seconds, page faults, and the kernel's share of the time."""

    def __init__(self, wall: float, faults: float, kernel: float):
        self.wall, self.faults, self.kernel = wall, faults, kernel


def _seconds(call: Callable[[], object], times: int) -> _Cost:
    for _ in range(2):  # The first one compiles, the second one settles the memory.
        call()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(times):
        call()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    kernel, user = after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime
    faults = (after.ru_minflt - before.ru_minflt) / times
    return _Cost(wall / times, faults, kernel / (kernel + user))


def _seconds_by_kind(network, times: int) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Forward seconds a photo of all layers of a kind, each run alone on noise."""
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # It counts the many small models.
    totals: dict[str, float] = defaultdict(float)
    for layer in _layers(network):
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        alone = keras.Model(inputs, layer.output)
        given = [
            np.ones((1, *part.shape[1:]), keras.backend.standardize_dtype(part.dtype))
            for part in inputs
        ]
        totals[type(layer).__name__] += _seconds(partial(alone.predict_on_batch, given), times).wall
    return totals


def project_parameters(env: str) -> ProjectParameters:
    """Read and check the parameters of an environment."""
    loader = ProjectConfigLoader(
        str(PROJECT_ROOT / "conf"), env=env, base_env="base", default_run_env="local"
    )
    return check_parameters(loader["parameters"])


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
