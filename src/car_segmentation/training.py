"""Fit a network: loss, optimiser, schedule, early stopping with the best weights."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import keras

from car_segmentation.batches import PhotoBatches
from car_segmentation.errors import UserError
from car_segmentation.losses import build_loss
from car_segmentation.metrics import dice_metric
from car_segmentation.parameters import Training

logger = logging.getLogger(__name__)

OnEpochEnd = Callable[[int, Mapping[str, float]], None]


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
    """The optimiser by its name, with its learning rate constant or falling over ``steps``."""
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = settings.learning_rate
    if settings.schedule == "cosine":
        warmup = int(settings.warmup_share * steps)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else settings.learning_rate,
            warmup_target=settings.learning_rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=max(1, steps - warmup),
        )
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(learning_rate, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(learning_rate)


def slow_encoder_down(
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
            f"training.encoder_rate = {rate:g}: the network {network.name} has no pretrained "
            "encoder to train more slowly; set it to 1, or take the network unet."
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


def compile_network(network: keras.Model, settings: Training, steps: int) -> None:
    """Give a network its loss, its metric, and an optimiser for so many steps."""
    optimizer = build_optimizer(settings, steps)
    if settings.encoder_rate != 1:
        slow_encoder_down(optimizer, network, settings.encoder_rate)
    network.compile(
        optimizer=optimizer,
        loss=build_loss(settings),
        metrics=[dice_metric()],
        jit_compile=settings.jit_compile,
    )


def train(
    network: keras.Model,
    training_batches: PhotoBatches,
    validation_batches: PhotoBatches,
    settings: Training,
    on_epoch_end: OnEpochEnd,
) -> dict[str, list[float]]:
    """Train a network in place, and leave it with the weights of its best epoch.

    Args:
        network: From photos to probabilities; changed in place.
        training_batches: What to learn from.
        validation_batches: What tells the best epoch and when to stop.
        settings: Loss, optimiser, epochs and patience.
        on_epoch_end: Called after every epoch with its number, from 0, and its metrics.

    Returns:
        ``loss``, ``dice``, ``val_loss`` and ``val_dice`` of each epoch.
    """
    compile_network(network, settings, steps=settings.epochs * len(training_batches))
    early_stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss",
        min_delta=settings.min_delta,
        patience=settings.patience,
        restore_best_weights=True,
    )
    report_epoch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch_end(epoch, dict(logs))
    )
    history = network.fit(
        training_batches,
        validation_data=validation_batches,
        epochs=settings.epochs,
        callbacks=[early_stopping, report_epoch, keras.callbacks.TerminateOnNaN()],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if early_stopping.stopped_epoch:
        logger.info(
            "Stopped early after %d epochs; the best was epoch %d.",
            early_stopping.stopped_epoch + 1,
            early_stopping.best_epoch + 1,
        )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def without_training_state(network: keras.Model) -> keras.Model:
    """A copy with the same weights and neither loss nor optimiser: a third of the size on disk."""
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    return copy
