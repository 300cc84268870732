"""Fit a network: loss, optimiser, schedule, early stopping with the best weights.

What a training has come to is kept in a `Checkpoint`, and continued from there to the very bit.
"""

import gc
import hashlib
import json
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from keras import ops

from car_segmentation.core.errors import UserError
from car_segmentation.networks import for_any_size
from car_segmentation.parameters import Training
from car_segmentation.training.batch_size import fitting_batch, is_out_of_memory
from car_segmentation.training.batches import PhotoBatches
from car_segmentation.training.checkpoints import Checkpoint, Progress
from car_segmentation.training.devices import Devices
from car_segmentation.training.losses import build_loss
from car_segmentation.training.metrics import dice_metric
from car_segmentation.training.optimizers import ConvolutionMuon
from car_segmentation.training.stages import next_stage, stage_of

logger = logging.getLogger(__name__)

OnEpochEnd = Callable[[int, Mapping[str, float]], None]

ONE_DEVICE = Devices()


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build the layers inside the block with a Keras dtype policy, such as ``mixed_bfloat16``."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_optimizer(settings: Training, steps: int) -> keras.optimizers.Optimizer:
    """The optimiser by its name.

    Args:
        settings: What `Training` says of it.
        steps: Batches over which the cosine falls.
    """
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = settings.learning_rate
    if settings.schedule == "cosine":
        warmup = int(settings.warmup_fraction * steps)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else settings.learning_rate,
            warmup_target=settings.learning_rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=max(1, steps - warmup),
        )
    options = {
        "global_clipnorm": settings.global_clipnorm,
        "gradient_accumulation_steps": (
            settings.gradient_accumulation_steps
            if settings.gradient_accumulation_steps > 1
            else None
        ),
        "use_ema": settings.ema_momentum is not None,
        "ema_momentum": settings.ema_momentum or 0.99,
    }
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(learning_rate, weight_decay=settings.weight_decay, **options)
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(
            learning_rate,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay or None,
            **options,
        )
    if settings.optimizer == "muon":
        return ConvolutionMuon(
            learning_rate,
            weight_decay=settings.weight_decay,
            adam_weight_decay=settings.weight_decay,
            adam_lr_ratio=settings.adamw_lr_multiplier,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            **options,
        )
    return keras.optimizers.Adam(learning_rate, **options)


def scale_encoder_lr(
    optimizer: keras.optimizers.Optimizer, network: keras.Model, rate: float
) -> None:
    """Have an optimiser change a network's encoder at ``rate`` times its learning rate.

    Weight decay stays as it is.

    Raises:
        UserError: If the network has no layer called ``encoder``.
    """
    layers = {layer.name: layer for layer in network.layers}
    if "encoder" not in layers:
        raise UserError(
            f"training.encoder_lr_multiplier = {rate:g}: the network {network.name} has no "
            "pretrained encoder to train more slowly; set it to 1, or take the network unet."
        )
    slow = {id(variable) for variable in layers["encoder"].trainable_variables}
    update = optimizer._backend_update_step  # Keras has no public name for it.

    def update_at_rates(
        gradients: list[keras.KerasTensor],
        variables: list[keras.Variable],
        learning_rate: keras.KerasTensor,
    ) -> None:
        pairs = list(zip(gradients, variables, strict=True))
        for factor, chosen in (
            (rate, [pair for pair in pairs if id(pair[1]) in slow]),
            (1.0, [pair for pair in pairs if id(pair[1]) not in slow]),
        ):
            if chosen:
                update(*(list(part) for part in zip(*chosen, strict=True)), learning_rate * factor)

    optimizer._backend_update_step = update_at_rates


def compile_network(
    network: keras.Model, settings: Training, steps: int, devices: Devices = ONE_DEVICE
) -> None:
    """Give a network its loss, its metric, and an optimiser for so many steps."""
    optimizer = build_optimizer(settings, steps)
    if settings.encoder_lr_multiplier != 1:
        scale_encoder_lr(optimizer, network, settings.encoder_lr_multiplier)
    on_jax = keras.backend.backend() == "jax"
    if settings.jit_compile and devices.mirrored:
        logger.info("training.jit_compile: TensorFlow has no XLA for several devices.")
    network.compile(
        optimizer=optimizer,
        loss=build_loss(settings),
        weighted_metrics=[dice_metric()],  # Batches for several devices have weights.
        # JAX without XLA would run one operation at a time.
        jit_compile=on_jax or (settings.jit_compile and not devices.mirrored),
    )
    devices.sum_gradients_first(network.optimizer)


class TrainingStopped(UserError):
    """A training ended before its time.

    Attributes:
        history: As `train` returns it; empty where no epoch was finished. Otherwise the network
            has the best weights so far.
    """

    def __init__(self, message: str, history: dict[str, list[float]]):
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> Any:
        # Exceptions travel between processes as what their constructor takes.
        return type(self), (str(self), self.history)


def fingerprint(
    network: keras.Model,
    training_batches: PhotoBatches,
    validation_batches: PhotoBatches,
    settings: Training,
) -> str:
    """A digest of all that the weights after a training depend on, but for code and machines.

    Args:
        network: Before training: its weights count.
        training_batches: What it learns from.
        validation_batches: What tells the best epoch.
        settings: How it is trained.
    """
    weights = hashlib.sha256()
    for weight in network.get_weights():
        weights.update(weight.tobytes())
    content = {
        "network": network.to_json(),
        "weights": weights.hexdigest(),
        "training": training_batches.fingerprint(),
        "validation": validation_batches.fingerprint(),
        "settings": settings.model_dump(exclude=_NOT_IN_FINGERPRINT),
        "keras": [keras.__version__, keras.backend.backend()],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_NOT_IN_FINGERPRINT = {"checkpoint_minutes", "resume", "loader_workers", "devices", "fit_to_memory"}
"""Settings that change nothing about the weights, or only their rounding."""


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
        training_batches: What to learn from.
        validation_batches: What tells the best epoch and when to stop.
        settings: Loss, optimiser, epochs and patience.
        on_epoch_end: Called after every epoch with its number, from 0, and its metrics; where a
            training is continued, for the epochs before as well.
        checkpoint: Where the state is kept. What is there is continued: it must be of this very
            training (see `fingerprint`). None keeps nothing for later.
        devices: What shares each batch (`find_devices`).

    Returns:
        ``loss``, ``dice``, ``val_loss`` and ``val_dice`` of each epoch.

    Raises:
        TrainingStopped: If Ctrl-C (or SIGTERM), a loss that is no number, or lack of memory ended
            the training.
    """
    arguments = (training_batches, validation_batches, settings, on_epoch_end, checkpoint)
    if settings.stages:
        sizes = [(stage.height, stage.width) for stage in settings.stages]
        network = for_any_size(network, sizes)  # The same weights are trained.
    if devices.count == 1:
        return _train(network, *arguments, devices)
    devices.check(settings)
    for batches in (training_batches, validation_batches):
        batches.shard(devices.count, devices.process, devices.processes)
        if not len(batches):
            raise UserError(
                f"{devices.count} devices need as many photos to train on at least: set "
                "training.devices=1."
            )
    with devices.scope(), precision(settings.precision):
        spread = devices.replicate(network)
        try:
            history = _train(spread, *arguments, devices)
        except TrainingStopped as stopped:
            if stopped.history:
                network.set_weights(spread.get_weights())
            raise
        network.set_weights(spread.get_weights())
    return history


def _train(
    network: keras.Model,
    training_batches: PhotoBatches,
    validation_batches: PhotoBatches,
    settings: Training,
    on_epoch_end: OnEpochEnd,
    checkpoint: Checkpoint | None,
    devices: Devices,
) -> dict[str, list[float]]:
    """`train`, of a network that is on all devices already."""
    stages, epochs = settings.stages, settings.epochs
    training_batches.set_stages(stages, epochs)
    steps = epochs * training_batches.batches_per_epoch
    compile_network(network, settings, steps, devices)
    with ExitStack() as stack:
        for batches in (training_batches, validation_batches):
            stack.callback(batches.close)
        if checkpoint is None:
            checkpoint = Checkpoint(Path(stack.enter_context(TemporaryDirectory())))
            settings = settings.model_copy(update={"checkpoint_minutes": math.inf})
            interrupted = _never
        else:
            interrupted = stack.enter_context(_noticing_interrupts())
        checkpoint = devices.shared(checkpoint)
        keeper = _CheckpointCallback(
            training_batches,
            settings,
            checkpoint,
            on_epoch_end,
            lambda: devices.any_process(interrupted()),
        )
        keeper.restore(network)
        for epoch, metrics in enumerate(keeper.progress.history):
            on_epoch_end(epoch, metrics)
        problem = None
        try:
            # What is left of an epoch is a fit of its own, for Keras asks only once how many
            # batches an epoch has; and so is a stage, for it asks once how large they are.
            while not keeper.progress.ended:
                progress = keeper.progress
                training_batches.begin_epoch(progress.epoch, progress.batches)
                end = next_stage(stages, progress.epoch, epochs)
                _say_stage(training_batches, end)
                network.fit(
                    training_batches,
                    validation_data=validation_batches,
                    initial_epoch=progress.epoch,
                    epochs=progress.epoch + 1 if progress.batches else end,
                    callbacks=[keeper],
                    shuffle=False,  # The batches have an order of their own; Keras' would be lost.
                    verbose=1 if sys.stdout.isatty() else 2,
                )
                if not keeper.progress.ended:
                    keeper.restore(network)
        except _Stop as stop:
            problem = str(stop)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            problem = _out_of_memory(network.name, training_batches.shown_size, settings)
        progress = keeper.progress
        if progress.best_epoch is not None:
            network.set_weights(checkpoint.read_best(progress.best_epoch))
        if problem:
            raise TrainingStopped(
                f"{problem}\n{_best_so_far(progress)}",
                progress.by_metric() if progress.history else {},
            )
    if progress.epoch < settings.epochs:
        logger.info(
            "Stopped early after %d epochs; the best was epoch %d.",
            progress.epoch,
            (progress.best_epoch or 0) + 1,
        )
    return progress.by_metric()


def fit_to_memory(
    network: keras.Model, settings: Training, devices: Devices = ONE_DEVICE
) -> Training:
    """Settings with a batch that fits into memory, and as many of them in a step as it takes.

    A step learns from as many photos as before; only batch normalisation sees fewer at a time.

    Args:
        network: Stays as it is; a copy is tried.
        settings: How it will be trained; unless ``fit_to_memory``, nothing is tried.
        devices: What shares each batch.

    Raises:
        UserError: If not even the smallest batch fits, or there are several processes.
    """
    if not settings.fit_to_memory:
        return settings
    if devices.processes > 1:
        raise UserError(
            "training.fit_to_memory works on one host alone: find the batch size there, and give "
            "it to all (training.batch_size, training.gradient_accumulation_steps)."
        )

    def with_batch(size: int) -> Training:
        more = settings.batch_size // size
        return settings.model_copy(
            update={
                "batch_size": size,
                "gradient_accumulation_steps": settings.gradient_accumulation_steps * more,
            }
        )

    def try_batch(size: int) -> None:
        gc.collect()  # What did not fit.
        devices.check(with_batch(size))
        _, height, width, channels = network.input_shape
        fed = size // devices.count if devices.mirrored else size
        photos = np.zeros((fed, height, width, channels), np.uint8)
        masks = np.zeros((fed, height, width, 1), np.float32)
        with devices.scope(), precision(settings.precision):
            trial = type(network).from_config(network.get_config())
            compile_network(trial, with_batch(size), steps=1, devices=devices)
            trial.train_on_batch(photos, masks)

    fitted = with_batch(fitting_batch(try_batch, settings.batch_size, devices.count))
    gc.collect()
    if fitted != settings:
        logger.info(
            "Training on %d batches of %d a step. To spare the search next time: "
            "training.batch_size=%d,training.gradient_accumulation_steps=%d",
            fitted.gradient_accumulation_steps,
            fitted.batch_size,
            fitted.batch_size,
            fitted.gradient_accumulation_steps,
        )
    return fitted


class _Stop(Exception):
    """Ends a training; the message says why."""


class _CheckpointCallback(keras.callbacks.Callback):
    """Keeps a training's state, and decides after each epoch how it goes on.

    Keras' own callbacks keep what they know to themselves, so that it is lost with the process, and
    write in place.
    """

    def __init__(
        self,
        batches: PhotoBatches,
        settings: Training,
        checkpoint: Checkpoint,
        on_epoch_end: OnEpochEnd,
        interrupted: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.batches = batches
        self.settings = settings
        self.checkpoint = checkpoint
        self.tell = on_epoch_end
        self.interrupted = interrupted
        self.progress = Progress()
        self.metrics_so_far: Sequence[np.ndarray] = ()
        self.raw_weights: list[np.ndarray] = []
        self.written = time.monotonic()

    def restore(self, network: keras.Model) -> None:
        """Have a network and its optimiser continue from the last state, if there is one."""
        last = self.checkpoint.read_last()
        if last is None:
            return
        self.progress, state = last
        # On more devices, an epoch may have a batch less than there was.
        most = self.batches.batches_per_epoch - 1
        self.progress.batches = min(self.progress.batches, most)
        if not network.optimizer.built:
            network.optimizer.build(network.trainable_variables)
        _assign(network.variables, state["network"])
        _assign(network.optimizer.variables, state["optimizer"])
        if self.progress.batches:
            network.test_on_batch(*self.batches[0])  # Makes the metrics, which a fit does too late.
            self.metrics_so_far = state["metrics"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # Keras has just set the metrics to 0, and asks for batches next.
        self.progress.epoch = epoch
        self.batches.begin_epoch(epoch, self.progress.batches)
        self.done_before = self.progress.batches
        if self.metrics_so_far:
            _assign(self.model.metrics_variables, self.metrics_so_far)
            self.metrics_so_far = ()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.progress.batches = self.done_before + batch + 1
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise _Stop(self._no_number(loss))
        if batch + 1 == len(self.batches):
            return  # The state is written after the validation.
        if self.interrupted():
            self._write()
            raise _Stop(self._was_interrupted())
        if time.monotonic() - self.written >= 60 * self.settings.checkpoint_minutes:
            self._write()

    def on_test_begin(self, logs: Any = None) -> None:
        # Keras' SwapEMAWeights swaps by adding and subtracting, which changes the last digits.
        averages = _averages(self.model)
        if averages:
            trained = self.model.trainable_variables
            self.raw_weights = _values(trained)
            # Copies: a validation on JAX uses up the arrays that it is given.
            _assign(trained, _values(averages))

    def on_test_end(self, logs: Any = None) -> None:
        if self.raw_weights:
            _assign(self.model.trainable_variables, self.raw_weights)
            self.raw_weights = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        settings = self.settings
        metrics = {name: float(value) for name, value in logs.items()}
        best = self.progress.end_epoch(
            metrics, settings.epochs, settings.patience, settings.min_delta
        )
        if best:
            self.checkpoint.write_best(epoch, _evaluated_weights(self.model))
        if settings.schedule == "plateau":
            self._lower_rate_on_plateau()
        self._write()
        self.tell(epoch, metrics)
        self.model.stop_training = self.progress.ended
        if self.interrupted() and not self.progress.ended:
            raise _Stop(self._was_interrupted())

    def _lower_rate_on_plateau(self) -> None:
        if self.progress.epochs_at_rate < self.settings.plateau_patience:
            return
        self.progress.epochs_at_rate = 0
        optimizer = self.model.optimizer
        optimizer.learning_rate = _learning_rate(optimizer) * self.settings.plateau_factor
        logger.info("The learning rate is %.3g from now on.", _learning_rate(optimizer))

    def _write(self) -> None:
        if self.settings.checkpoint_minutes < math.inf:
            _sync(self.model)
            state = {
                "network": self.model.variables,
                "optimizer": self.model.optimizer.variables,
                "metrics": self.model.metrics_variables,
            }
            self.checkpoint.write_last(
                self.progress,
                {owner: _values(variables) for owner, variables in state.items()},
            )
        self.checkpoint.keep_best(self.progress.best_epoch)
        self.written = time.monotonic()

    def _was_interrupted(self) -> str:
        return f"Training was interrupted in {self._place()}. The same command continues it."

    def _no_number(self, loss: float) -> str:
        settings = self.settings
        advice = ["a lower training.learning_rate"]
        if settings.global_clipnorm is None:
            advice.append("training.global_clipnorm=1")
        if settings.precision != "float32":
            advice.append("training.precision=float32")
        return (
            f"The loss ({settings.loss}) became {loss:g} in {self._place()}, at a learning rate of "
            f"{_learning_rate(self.model.optimizer):.3g} in {settings.precision}. "
            f"Try {' or '.join(advice)}."
        )

    def _place(self) -> str:
        total = self.batches.batches_per_epoch
        return f"epoch {self.progress.epoch + 1}, batch {self.progress.batches} of {total}"


def _say_stage(batches: PhotoBatches, end: int) -> None:
    if not batches.stages:
        return
    stage = stage_of(batches.stages, batches.epoch, batches.epochs)
    what = "crops of photos" if stage and stage.mode == "crop" else "whole photos"
    height, width = batches.shown_size
    logger.info("Training on %s at %d×%d up to epoch %d.", what, width, height, end)


def _sync(network: keras.Model) -> None:
    """On JAX, the weights are elsewhere during a fit."""
    getattr(network, "jax_state_sync", lambda: None)()


def _values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimiser itself, inside of what scales the loss for float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _averages(network: keras.Model) -> list[keras.Variable]:
    """The moving averages of the trained weights; empty where none are kept."""
    optimizer = _inner(network.optimizer)
    return list(optimizer._model_variables_moving_average) if optimizer.use_ema else []


def _evaluated_weights(network: keras.Model) -> list[np.ndarray]:
    """The weights that validation has judged: averages, where they are kept."""
    _sync(network)
    judged = {
        id(variable): average
        for variable, average in zip(network.trainable_variables, _averages(network), strict=False)
    }
    return _values([judged.get(id(variable), variable) for variable in network.weights])


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def _best_so_far(progress: Progress) -> str:
    if progress.best_epoch is None:
        return "No epoch was finished, so there is no model of it."
    return (
        f"The best model so far is kept, of epoch {progress.best_epoch + 1} (validation loss "
        f"{progress.best_loss:.4f}); `kedro run --from-nodes=choose_threshold` goes on with it."
    )


def _out_of_memory(network: str, size: tuple[int, int], settings: Training) -> str:
    height, width = size
    advice = []
    if settings.batch_size > 1:
        half = settings.batch_size // 2
        twice = 2 * settings.gradient_accumulation_steps
        advice.append(
            f"training.batch_size={half} with training.gradient_accumulation_steps={twice}, which "
            "learns from as many photos in a step"
        )
        if not settings.fit_to_memory:
            advice.append("training.fit_to_memory=true, which finds such a batch")
    if settings.precision == "float32":
        advice.append("training.precision=mixed_bfloat16")
    advice.append("a smaller image or network")
    return (
        f"Memory ran out in training {network} on batches of {settings.batch_size} photos "
        f"of {width}×{height} in {settings.precision}. Try {', or '.join(advice)}."
    )


def _never() -> bool:
    return False


@contextmanager
def _noticing_interrupts() -> Iterator[Callable[[], bool]]:
    """Ask whether Ctrl-C or SIGTERM came, instead of being torn out of a step by it.

    A second one does what it does elsewhere.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _never  # Signals go to the main thread.
        return
    noticed: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def notice(number: int, frame: Any) -> None:
        noticed.append(number)
        restore()
        logger.warning("Stopping after this step. Once more stops at once.")

    for number in before:
        signal.signal(number, notice)
    try:
        yield lambda: bool(noticed)
    finally:
        restore()


def without_training_state(network: keras.Model) -> keras.Model:
    """A copy with the same weights and neither loss nor optimiser: a third of the size on disk."""
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    return copy
