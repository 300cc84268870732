"""Train on several devices, of one host or of several, as one device would on the same batches.

On TensorFlow the devices of one host share a batch through ``MirroredStrategy``; on JAX, those of
one or several hosts through ``keras.distribution.DataParallel``. Several hosts are one process each
(``KERAS_DISTRIBUTION_*``, see docs/devices.md), of which the first alone writes files.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Training
from car_segmentation.training.checkpoints import Checkpoint, State
from car_segmentation.training.early_stopping import Progress

if TYPE_CHECKING:
    from pathlib import Path

    import keras

JOBS, PROCESSES, PROCESS = (
    f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
)
"""Keras' own environment variables (``keras.distribution.initialize``)."""

CHUNK = 1 << 26
"""Bytes that are sent between processes at a time."""


def process_count() -> int:
    """Number of processes that train together; from the environment, before they are joined."""
    return int(os.environ.get(PROCESSES, "1"))


def process_number() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get(PROCESS, "0")) if process_count() > 1 else 0


def join_processes() -> None:
    """Wait for the other processes, if there are any. Must come before Keras' first computation.

    Raises:
        UserError: If Keras does not run on JAX, or the variables do not say enough.
    """
    if process_count() == 1:
        return
    import keras

    if keras.backend.backend() != "jax":
        raise UserError(
            f"{PROCESSES} = {process_count()}: training with several processes needs JAX. Set "
            "KERAS_BACKEND=jax in each."
        )
    missing = [name for name in (JOBS, PROCESS) if name not in os.environ]
    if missing:
        raise UserError(f"{PROCESSES} is set, but {' and '.join(missing)} is not.")
    if process_number() >= process_count():
        raise UserError(
            f"{PROCESS} = {process_number()}: {process_count()} processes are numbered from 0 to "
            f"{process_count() - 1}."
        )
    import jax

    if not jax.distributed.is_initialized():
        # Keras' own `initialize` draws a seed in common besides; trainings have theirs.
        coordinator = os.environ[JOBS].split(",")[0]
        jax.distributed.initialize(coordinator, process_count(), process_number())


@dataclass(frozen=True)
class Devices:
    """The devices that share each batch.

    Attributes:
        count: How many there are, on all hosts together.
        processes: How many processes drive them.
        process: Which of these this is, from 0.
        scope: Variables made inside are on all of the devices.
        strategy: What TensorFlow shares a batch by; None on one device, and on JAX.
    """

    count: int = 1
    processes: int = 1
    process: int = 0
    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    strategy: Any = None

    @property
    def mirrored(self) -> bool:
        """True if they are several of TensorFlow's."""
        return self.strategy is not None

    def check(self, settings: Training) -> None:
        """Refuse what these devices cannot do together.

        Inside of `MirroredStrategy`, Keras 3.15 can neither update averages of weights nor choose
        between steps, as accumulation and the scaling of the loss for float16 do. Clipping would
        see the gradient of each device's part, not of the batch.
        """
        if settings.batch_size % self.count:
            raise UserError(
                f"training.batch_size = {settings.batch_size}: {self.count} devices share each "
                f"batch, so it must be a multiple of {self.count}."
            )
        steps = settings.gradient_accumulation_steps
        refused = {
            f"gradient_accumulation_steps = {steps}": steps > 1,
            f"global_clipnorm = {settings.global_clipnorm}": bool(settings.global_clipnorm),
            f"ema_momentum = {settings.ema_momentum}": bool(settings.ema_momentum),
            f"precision = {settings.precision}": settings.precision == "mixed_float16",
        }
        for name, wanted in refused.items():
            if wanted and self.mirrored:
                raise UserError(
                    f"training.{name}: TensorFlow cannot do this on several devices. Set "
                    "KERAS_BACKEND=jax, or training.devices=1."
                )

    def replicate(self, network: "keras.Model") -> "keras.Model":
        """A copy of a network on all devices; to be called inside the scope.

        Its batch normalisation sees the whole batch. On JAX it does anyway. A single device has the
        network itself.
        """
        if self.count == 1:
            return network
        copy = type(network).from_config(network.get_config())
        copy.set_weights(network.get_weights())
        if self.mirrored:
            for layer in innermost_layers(copy):
                if hasattr(layer, "synchronized"):
                    layer.synchronized = True
        return copy

    def spread(self, values: Sequence[np.ndarray]) -> Sequence[Any]:
        """Arrays of which each of TensorFlow's devices has its part; on JAX, Keras does that."""
        if self.strategy is None:
            return values
        spread = self.strategy.experimental_distribute_values_from_function
        split = (np.split(value, self.count) for value in values)
        return [
            spread(lambda device, parts=parts: parts[device.replica_id_in_sync_group])
            for parts in split
        ]

    def any_process(self, condition: bool) -> bool:
        """True if a condition holds in any process; all must ask at the same point."""
        if self.processes == 1:
            return condition
        from jax.experimental import multihost_utils

        return bool(np.any(multihost_utils.process_allgather(np.array([condition]))))

    def check_same(self, fingerprint: str) -> None:
        """Refuse to train where another process has other settings or photos."""
        first = self.broadcast_from_first(fingerprint.encode()).decode()
        if self.any_process(first != fingerprint):
            raise UserError(
                "The processes do not train the same: their settings, photos, splits or versions "
                "of Keras differ. Give each the same configuration, and run data_processing on "
                "the same photos, or share one project folder."
            )

    def broadcast_from_first(self, content: bytes) -> bytes:
        """Broadcast the first process's value; all must ask at the same point."""
        if self.processes == 1:
            return content
        from jax.experimental import multihost_utils

        # JAX has no integers of 64 bits unless told.
        size = np.array(divmod(len(content), CHUNK), np.int32)
        chunks, rest = map(int, multihost_utils.broadcast_one_to_all(size))
        received = io.BytesIO()
        for chunk, length in enumerate([CHUNK] * chunks + [rest] * bool(rest)):
            part = np.zeros(length, np.uint8)
            if self.process == 0:
                part[:] = np.frombuffer(content, np.uint8, length, chunk * CHUNK)
            received.write(np.asarray(multihost_utils.broadcast_one_to_all(part)).tobytes())
        return received.getvalue()

    def shared(self, checkpoint: Checkpoint) -> Checkpoint:
        """A checkpoint that the first process writes and all processes read."""
        if self.processes == 1:
            return checkpoint
        return _SharedCheckpoint(checkpoint.folder, self)


ONE_DEVICE = Devices()


def find_devices(wanted: int | Literal["all"]) -> Devices:
    """The devices to train on.

    Args:
        wanted: How many of each host's, or all.

    Raises:
        UserError: If there are fewer.
    """
    import keras

    if keras.backend.backend() == "jax":
        return _find_jax_devices(wanted)
    return _find_tensorflow_devices(wanted)


def _find_tensorflow_devices(wanted: int | Literal["all"]) -> Devices:
    if wanted == 1:
        return Devices()
    import tensorflow as tf

    # CPUs are several only where a test makes them so.
    names = [
        device.name
        for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    ]
    chosen = _choose(names, wanted)
    if len(chosen) == 1:
        return Devices()
    strategy = tf.distribute.MirroredStrategy(chosen)
    return Devices(count=len(chosen), scope=strategy.scope, strategy=strategy)


def _find_jax_devices(wanted: int | Literal["all"]) -> Devices:
    import jax
    import keras

    processes = jax.process_count()
    if wanted == 1 and processes == 1:
        return Devices()
    chosen = [
        f"{device.platform}:{device.id}"
        for process in range(processes)
        for device in _choose([d for d in jax.devices() if d.process_index == process], wanted)
    ]
    if len(chosen) == 1:
        return Devices()
    parallel = keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
    return Devices(
        count=len(chosen),
        processes=processes,
        process=jax.process_index(),
        scope=parallel.scope,
    )


def innermost_layers(layer: Any) -> Iterator["keras.layers.Layer"]:
    """All layers of a network, those of the networks in it included."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
    else:
        for part in inner:
            yield from innermost_layers(part)


def _choose(devices: list[Any], wanted: int | Literal["all"]) -> list[Any]:
    if wanted == "all":
        return devices
    if wanted > len(devices):
        names = ", ".join(map(str, devices))
        raise UserError(
            f"training.devices = {wanted}: this host has {len(devices)} ({names}). Ask for fewer, "
            "or for all."
        )
    return devices[:wanted]


@dataclass(frozen=True)
class _SharedCheckpoint(Checkpoint):
    """A checkpoint of several processes, whether they share a disk or not."""

    devices: Devices

    def write_last(self, progress: Progress, state: State) -> None:
        if self.devices.process == 0:
            super().write_last(progress, state)

    def write_best(self, epoch: int, weights: Sequence[np.ndarray]) -> None:
        if self.devices.process == 0:
            super().write_best(epoch, weights)

    def _read(self, path: "Path") -> dict[str, np.ndarray] | None:
        """Broadcast the content of a file as the first process reads it."""
        content = b""
        if self.devices.process == 0:
            values = super()._read(path)
            if values is not None:
                buffer = io.BytesIO()
                np.savez(buffer, **values)  # type: ignore[arg-type]
                content = buffer.getvalue()
        content = self.devices.broadcast_from_first(content)
        if not content:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return dict(file)
