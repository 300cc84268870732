"""Train a network: step by step, epoch by epoch, to the best weights.

The whole state of a training is that of the network, of the optimiser, and a `Progress`. It is kept
in a `Checkpoint`, from which the training resumes to the very bit.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from keras import ops

from car_segmentation.core.errors import UserError, is_out_of_memory
from car_segmentation.networks.any_size import for_any_size
from car_segmentation.parameters import Training
from car_segmentation.training.batches import Batch, PhotoBatches
from car_segmentation.training.checkpoints import Checkpoint, damaged_checkpoint
from car_segmentation.training.compilation import compile_network
from car_segmentation.training.devices import ONE_DEVICE, Devices
from car_segmentation.training.early_stopping import Progress
from car_segmentation.training.interrupts import notice_interrupts
from car_segmentation.training.learning_rate import learning_rate
from car_segmentation.training.moving_statistics import warn_of_slow_statistics
from car_segmentation.training.precision import precision
from car_segmentation.training.progress_display import ProgressDisplay
from car_segmentation.training.stages import describe_stage, stage_of
from car_segmentation.training.steps import training_step, validation_step
from car_segmentation.training.stop_reasons import (
    StopReason,
    TrainingStopped,
    best_so_far,
    interrupted,
    not_finite,
    out_of_memory,
)

logger = logging.getLogger(__name__)

OnEpochEnd = Callable[[int, Mapping[str, float]], None]


def train(
    network: keras.Model,
    training_batches: PhotoBatches,
    validation_batches: PhotoBatches,
    settings: Training,
    on_epoch_end: OnEpochEnd,
    checkpoint: Checkpoint | None = None,
    devices: Devices = ONE_DEVICE,
) -> dict[str, list[float]]:
    """Train a network in place, and leave it with the weights of its best epoch.

    Args:
        network: From photos to probabilities; changed in place.
        training_batches: What to train on.
        validation_batches: What decides which epoch is best, and when to stop.
        settings: Loss, optimiser, epochs and patience.
        on_epoch_end: Called after every epoch with its number, from 0, and its metrics; where a
            training is resumed, for the epochs before as well.
        checkpoint: Where the state is kept. What is there is resumed: it must be of this very
            training (see `fingerprint`). None keeps nothing for later.
        devices: What shares each batch (`find_devices`).

    Returns:
        ``loss``, ``dice``, ``val_loss`` and ``val_dice`` of each epoch.

    Raises:
        TrainingStopped: If Ctrl-C (or SIGTERM), a loss that is not finite, or a lack of memory
            ended the training.
    """
    if settings.stages:
        sizes = [(stage.height, stage.width) for stage in settings.stages]
        network = for_any_size(network, sizes)  # The same weights are trained.
    training_batches.set_stages(settings.stages, settings.epochs)
    devices.check(settings)
    for batches in (training_batches, validation_batches):
        batches.shard(devices.count, devices.process, devices.processes)
        if not len(batches):
            raise UserError(
                f"{devices.count} devices need as many photos to train on at least: set "
                "training.devices=1."
            )
    if settings.start_from is None:  # Else the statistics are those of the trained model.
        warn_of_slow_statistics(network, len(training_batches), settings.patience)
    with ExitStack() as stack:
        stack.enter_context(devices.scope())
        stack.enter_context(precision(settings.precision))
        stopping = lambda: False  # noqa: E731
        if checkpoint is None:
            checkpoint = Checkpoint(Path(stack.enter_context(TemporaryDirectory())))
            settings = settings.model_copy(update={"checkpoint_minutes": math.inf})
        else:
            stopping = stack.enter_context(notice_interrupts())
        replica = devices.replicate(network)
        compile_network(replica, settings, devices)
        loop = _Loop(
            replica,
            training_batches,
            validation_batches,
            settings,
            on_epoch_end,
            devices.shared(checkpoint),
            devices,
            stopping,
        )
        problem = loop.run()
        progress = loop.progress
        if progress.best_epoch is not None:
            try:
                network.set_weights(loop.checkpoint.read_best(progress.best_epoch))
            except ValueError as error:
                best = loop.checkpoint.best(progress.best_epoch)
                raise damaged_checkpoint(best, repr(error)) from error
    if problem:
        raise TrainingStopped(f"{problem}\n{best_so_far(progress)}", progress.by_metric())
    if progress.epoch < settings.epochs:
        logger.info(
            "Stopped early after %d epochs; the best was epoch %d.",
            progress.epoch,
            (progress.best_epoch or 0) + 1,
        )
    return progress.by_metric()


def without_training_state(network: keras.Model) -> keras.Model:
    """A copy with the same weights and neither loss nor optimiser: a third of the size on disk."""
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    return copy


class _Loop:
    """A training in progress: what it works on, and how far it has come."""

    def __init__(
        self,
        network: keras.Model,
        training_batches: PhotoBatches,
        validation_batches: PhotoBatches,
        settings: Training,
        on_epoch_end: OnEpochEnd,
        checkpoint: Checkpoint,
        devices: Devices,
        stopping: Callable[[], bool],
    ) -> None:
        self.network = network
        self.training_batches = training_batches
        self.validation_batches = validation_batches
        self.settings = settings
        self.on_epoch_end = on_epoch_end
        self.checkpoint = checkpoint
        self.devices = devices
        self.stopping = stopping
        self.training_step = training_step(network, devices)
        self.validation_step = validation_step(network, devices)
        self.progress = Progress()
        self.saved = time.monotonic()

    def run(self) -> str | None:
        """Train to the end, and return None; or the reason to stop before it."""
        try:
            self.restore()
            for epoch, metrics in enumerate(self.progress.history):
                self.on_epoch_end(epoch, metrics)
            while not self.progress.ended:
                self.train_epoch()
        except StopReason as reason:
            return str(reason)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size = self.training_batches.size_in(self.progress.epoch)
            return str(out_of_memory(self.network.name, size, self.settings))
        return None

    def restore(self) -> None:
        """Resume from the last state, if there is one."""
        last = self.checkpoint.read_last()
        if last is None:
            return
        self.progress, state = last
        # On more devices, an epoch may have a batch less than there was.
        self.progress.batches = min(self.progress.batches, len(self.training_batches) - 1)
        try:
            _assign(self.network.variables, state["network"])
            _assign(self.network.optimizer.variables, state["optimizer"])
        except (ValueError, KeyError) as error:  # Another number of variables, or of other shapes.
            raise damaged_checkpoint(self.checkpoint.last, repr(error)) from error

    def save(self) -> None:
        """Write the state, and forget the weights that are no longer the best."""
        if self.settings.checkpoint_minutes < math.inf:
            state = {
                "network": _values(self.network.variables),
                "optimizer": _values(self.network.optimizer.variables),
            }
            self.checkpoint.write_last(self.progress, state)
        self.checkpoint.keep_best(self.progress.best_epoch)
        self.saved = time.monotonic()

    def train_epoch(self) -> None:
        """Train what is left of an epoch, validate, and decide how the training continues."""
        epoch, batches = self.progress.epoch, len(self.training_batches)
        self._announce_stage(epoch)
        display = ProgressDisplay(epoch, self.settings.epochs, batches)
        with closing(self.training_batches.epoch(epoch, self.progress.batches)) as left:
            for batch in left:
                self._train_batch(batch)
                display.update(self.progress.batches, self.progress.means())
                if self.progress.batches < batches:  # After the last one, validation comes first.
                    self._save_between_batches()
        with _averaged_weights(self.network):
            validation = self._validate()
            evaluated = self.network.get_weights()
        if not math.isfinite(validation["loss"]):
            rate = float(self.network.optimizer.learning_rate)
            place, name = self._place(), "validation loss"
            raise not_finite(validation["loss"], place, rate, self.settings, name)
        reductions = self.progress.reductions
        if self.progress.end_epoch(validation, self.settings):
            self.checkpoint.write_best(epoch, evaluated)
        if self.progress.reductions > reductions:
            logger.info("The learning rate is lowered, times %g.", self.settings.plateau_factor)
        self.save()
        metrics = self.progress.history[epoch]
        display.end(batches, metrics)
        self.on_epoch_end(epoch, metrics)
        if not self.progress.ended and self._should_stop():
            raise interrupted(self._place())

    def _train_batch(self, batch: Batch) -> None:
        progress = self.progress
        step = progress.epoch * len(self.training_batches) + progress.batches
        steps = self.settings.epochs * len(self.training_batches)
        rate = learning_rate(self.settings, step, steps, progress.reductions)
        self.network.optimizer.learning_rate = rate
        metrics = self.training_step(batch)
        progress.end_batch(metrics, batch.size)
        if not math.isfinite(metrics["loss"]):
            raise not_finite(metrics["loss"], self._place(), rate, self.settings)

    def _save_between_batches(self) -> None:
        stop = self._should_stop()
        if stop or time.monotonic() - self.saved >= 60 * self.settings.checkpoint_minutes:
            self.save()
        if stop:
            raise interrupted(self._place())

    def _validate(self) -> dict[str, float]:
        """Means of the metrics over the validation photos."""
        means = Progress()
        with closing(self.validation_batches.epoch()) as batches:
            for batch in batches:
                means.end_batch(self.validation_step(batch), batch.size)
        return means.means()

    def _should_stop(self) -> bool:
        return self.devices.any_process(self.stopping())

    def _announce_stage(self, epoch: int) -> None:
        stages, epochs = self.settings.stages, self.settings.epochs
        stage = stage_of(stages, epoch, epochs)
        if stages and (epoch == 0 or stage != stage_of(stages, epoch - 1, epochs)):
            logger.info("Training %s.", describe_stage(stage, self.training_batches.size_in(epoch)))

    def _place(self) -> str:
        total = len(self.training_batches)
        return f"epoch {self.progress.epoch + 1}, batch {self.progress.batches} of {total}"


@contextmanager
def _averaged_weights(network: keras.Model) -> Iterator[None]:
    """Use the moving averages of the weights, if there are any, inside the block."""
    # What scales the loss for float16 has the optimiser inside.
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    if not optimizer.use_ema:
        yield
        return
    trained = _values(network.trainable_variables)
    optimizer.finalize_variable_values(network.trainable_variables)
    # Copies: a validation on JAX uses up the arrays that it is given.
    _assign(network.trainable_variables, _values(network.trainable_variables))
    try:
        yield
    finally:
        # Keras' SwapEMAWeights swaps by adding and subtracting, which changes the last digits.
        _assign(network.trainable_variables, trained)


def _values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
