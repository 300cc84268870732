import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.parameters import Stage, Training
from car_segmentation.training.batches import Batch, PhotoBatches
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.losses import build_loss
from car_segmentation.training.trainer import (
    TrainingStopped,
    build_optimizer,
    compile_network,
    fingerprint,
    fit_to_memory,
    train,
    without_training_state,
)
from tests.support.projects import REPOSITORY
from tests.support.trainings import (
    CHANGING,
    IDS,
    MASK_STACK,
    PHOTO_STACK,
    SEVEN,
    SEVEN_PHOTOS,
    SEVEN_TRUTHS,
    TRAINING,
    VARIED,
    assert_same,
    batches,
    small_training,
    tiny_network,
)


def test_two_photos_are_learned_by_heart_and_every_weight_moves() -> None:
    network = tiny_network()
    before = [np.array(weight) for weight in network.trainable_weights]
    epochs = []
    history = train(
        network,
        batches(Augmentation()),
        batches(),
        TRAINING,
        on_epoch_end=lambda epoch, metrics: epochs.append((epoch, dict(metrics))),
    )
    assert history["dice"][-1] > 0.99
    assert set(history) >= {"loss", "dice", "val_loss", "val_dice"}
    assert [epoch for epoch, _ in epochs] == list(range(30))
    assert epochs[3][1]["val_dice"] == pytest.approx(history["val_dice"][3])
    moved = [
        not np.array_equal(old, np.array(new))
        for old, new in zip(before, network.trainable_weights, strict=True)
    ]
    assert all(moved)


def test_stages_train_the_weights_of_the_whole(caplog: pytest.LogCaptureFixture) -> None:
    network = tiny_network()
    stages = (
        Stage(end_fraction=0.3, mode="resize", height=16, width=24),
        Stage(end_fraction=0.6, mode="crop", height=24, width=16),
    )
    shown: dict[int, set[tuple[int, int]]] = {}

    class Watched(PhotoBatches):
        def __getitem__(self, batch: int) -> Batch:
            photos, masks = super().__getitem__(batch)
            shown.setdefault(self.epoch, set()).add(photos.shape[1:3])
            return photos, masks

    training = Watched(PHOTO_STACK, MASK_STACK, IDS, 2, Augmentation(), seed=1)
    with caplog.at_level(logging.INFO):
        history = train(
            network,
            training,
            batches(),
            TRAINING.model_copy(update={"stages": stages}),
            on_epoch_end=lambda *_: None,
        )
    sizes = [(16, 24)] * 9 + [(24, 16)] * 9 + [(32, 32)] * 12
    assert shown == {epoch: {size} for epoch, size in enumerate(sizes)}
    assert history["val_dice"][-1] > 0.95
    assert network.input_shape == (None, 32, 32, 3)
    kept = without_training_state(network)
    kept.compile(loss=build_loss(TRAINING))
    assert kept.evaluate(batches(), verbose=0) == pytest.approx(min(history["val_loss"]), rel=1e-4)
    assert [m for m in caplog.messages if m.startswith("Training on")] == [
        "Training on whole photos at 24×16 up to epoch 9.",
        "Training on crops of photos at 16×24 up to epoch 18.",
        "Training on whole photos at 32×32 up to epoch 30.",
    ]


def test_it_stops_early_and_keeps_the_best_weights(caplog: pytest.LogCaptureFixture) -> None:
    network = tiny_network()
    best: dict[str, float] = {}

    def remember_best(epoch: int, metrics: dict[str, float]) -> None:
        if metrics["val_loss"] < best.get("val_loss", np.inf) - 0.3:
            best.update(val_loss=metrics["val_loss"], epoch=epoch)

    settings = TRAINING.model_copy(update={"patience": 2, "min_delta": 0.3, "learning_rate": 0.02})
    with caplog.at_level(logging.INFO):
        history = train(network, batches(Augmentation()), batches(), settings, remember_best)
    assert len(history["loss"]) == best["epoch"] + 1 + 2
    kept = network.evaluate(batches(), verbose=0, return_dict=True)
    assert kept["loss"] == pytest.approx(history["val_loss"][int(best["epoch"])], rel=1e-4)
    assert "Stopped early" in caplog.text


def test_cosine_rises_then_falls_to_nothing() -> None:
    settings = TRAINING.model_copy(update={"schedule": "cosine", "warmup_fraction": 0.1})
    rate = build_optimizer(settings, steps=100)._learning_rate
    assert float(rate(0)) == 0
    assert float(rate(10)) == pytest.approx(0.01)
    assert float(rate(55)) == pytest.approx(0.005)
    assert float(rate(100)) == pytest.approx(0, abs=1e-9)


def test_without_training_state_predicts_the_same() -> None:
    network = tiny_network()
    network.compile(optimizer="adam", loss="mse")
    bare = without_training_state(network)
    photos = PHOTO_STACK.pixels
    assert np.array_equal(bare.predict_on_batch(photos), network.predict_on_batch(photos))
    assert not bare.compiled


def test_an_encoder_learns_at_a_rate_of_its_own() -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    photo = keras.Input((8, 8, 3))
    encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)], name="encoder")
    score = keras.layers.Conv2D(1, 1, activation="sigmoid")(encoder(photo))
    network = keras.Model(photo, score)
    settings = TRAINING.model_copy(update={"encoder_lr_multiplier": 0.1})
    compile_network(network, settings, steps=1)
    before = [np.array(weight) for weight in network.trainable_weights]
    rng = np.random.default_rng(1)
    network.train_on_batch(rng.random((2, 8, 8, 3)), rng.random((2, 8, 8, 1)).round())
    steps = [
        np.abs(np.array(new) - old).max()
        for old, new in zip(before, network.trainable_weights, strict=True)
    ]
    assert steps == pytest.approx([0.001, 0.001, 0.01, 0.01], rel=0.01)


def test_a_rate_for_an_encoder_that_is_not_there() -> None:
    settings = TRAINING.model_copy(update={"encoder_lr_multiplier": 0.1})
    with pytest.raises(
        UserError, match=r"training\.encoder_lr_multiplier = 0\.1: the network segnet_unet"
    ):
        compile_network(tiny_network(), settings, steps=1)


def one_weight(**settings: object) -> tuple[keras.Model, Callable[[float], float]]:
    """A network whose loss has a chosen gradient, and a step of its only weight, which starts at 0.

    The loss of a photo of brightness g is g times the weight.
    """
    photo = keras.Input((1, 1, 1))
    weight = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="zeros")
    network = keras.Model(photo, weight(photo))
    optimizer = build_optimizer(TRAINING.model_copy(update=settings), steps=100)
    network.compile(optimizer=optimizer, loss=lambda _, output: keras.ops.mean(output, (1, 2, 3)))

    def step(gradient: float) -> float:
        network.train_on_batch(np.full((1, 1, 1, 1), gradient, np.float32), np.zeros((1, 1, 1, 1)))
        return float(np.array(network.get_weights()[0]).item())

    return network, step


def test_sgd_with_momentum_worked_out_by_hand() -> None:
    plain = {"optimizer": "sgd", "learning_rate": 0.1, "nesterov": False}
    _, step = one_weight(**plain, momentum=0.5)
    assert [step(1), step(1)] == pytest.approx([-0.1, -0.25])  # v = -0.1, then -0.05 - 0.1
    _, step = one_weight(**plain | {"nesterov": True}, momentum=0.5)
    assert [step(1), step(1)] == pytest.approx([-0.15, -0.325])  # 0.5 v - 0.1 each time


def test_gradients_are_clipped_together() -> None:
    _, step = one_weight(optimizer="sgd", learning_rate=0.1, momentum=0.0, global_clipnorm=2.0)
    assert step(50) == pytest.approx(-0.2)
    assert step(1) == pytest.approx(-0.3)


def test_accumulated_batches_make_one_step_of_their_mean() -> None:
    _, step = one_weight(
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.0,
        gradient_accumulation_steps=2,
        global_clipnorm=2.5,
    )
    assert [step(1), step(3), step(5), step(5)] == pytest.approx([0, -0.2, -0.2, -0.45])


def test_the_learning_rate_falls_on_a_plateau() -> None:
    network = tiny_network()
    settings = TRAINING.model_copy(
        update={
            **{"schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 2},
            **{"epochs": 6, "min_delta": 100.0},
        }
    )
    rates = []
    train(
        network,
        batches(),
        batches(),
        settings,
        lambda *_: rates.append(float(network.optimizer.learning_rate.numpy())),
    )
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025])


def test_averages_of_weights_are_what_is_judged_and_kept(tmp_path: Path) -> None:
    """Against averages taken by hand, of the weights after each batch."""
    network, momentum = tiny_network(), 0.7
    settings = TRAINING.model_copy(update={"ema_momentum": momentum, "epochs": 3})
    averages: list[np.ndarray] = []
    seen = []

    def after_batch(*_: object) -> None:
        trained = [np.array(weight) for weight in network.trainable_weights]
        averages[:] = (
            [momentum * a + (1 - momentum) * w for a, w in zip(averages, trained, strict=True)]
            if averages
            else trained
        )

    def on_epoch_end(epoch: int, metrics: dict[str, float]) -> None:
        after_batch()  # An epoch has one.
        trained = [np.array(weight) for weight in network.trainable_weights]
        for weight, average in zip(network.trainable_weights, averages, strict=True):
            weight.assign(average)
        loss = network.evaluate(batches(), verbose=0, return_dict=True)["loss"]
        for weight, value in zip(network.trainable_weights, trained, strict=True):
            weight.assign(value)
        seen.append((loss, metrics["val_loss"], [average.copy() for average in averages]))

    history = train(network, batches(), batches(), settings, on_epoch_end)
    assert [judged for _, judged, _ in seen] == pytest.approx([own for own, _, _ in seen], rel=1e-4)
    kept = seen[int(np.argmin(history["val_loss"]))][2]
    for weight, average in zip(network.trainable_weights, kept, strict=True):
        assert np.array(weight) == pytest.approx(average, rel=1e-4, abs=1e-6)


class Killed(Exception):
    """Stands for the end of the process."""


class Dying(Checkpoint):
    """A checkpoint whose process is gone just before, or just after, a number of writings."""

    def die(self, writings: int, after: bool) -> "Dying":
        object.__setattr__(self, "left", writings)
        object.__setattr__(self, "after", after)
        return self

    def write_last(self, progress, state) -> None:
        object.__setattr__(self, "left", self.left - 1)
        if self.left == 0 and not self.after:
            raise Killed
        super().write_last(progress, state)
        if self.left == 0:
            raise Killed


STAGED = TRAINING.model_copy(
    update={
        "stages": (
            Stage(end_fraction=0.25, mode="resize", height=16, width=24),
            Stage(end_fraction=0.75, mode="crop", height=24, width=16),
        ),
        **{"optimizer": "muon", "schedule": "cosine", "epochs": 4, "checkpoint_minutes": 0.0},
    }
)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[np.ndarray], dict, list]:
    return small_training(None)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("settings", [CHANGING, STAGED], ids=["changing", "staged"])
def test_killed_at_random_steps_and_continued_it_ends_the_same(
    settings: Training, after: bool, tmp_path: Path
) -> None:
    undisturbed = small_training(None, settings)
    rng = random.Random(4 + after)
    before = set(threading.enumerate())
    deaths = 0
    while True:
        try:
            checkpoint = Dying(tmp_path).die(rng.randint(2, 9), after)
            continued = small_training(checkpoint, settings)
            break
        except Killed:
            deaths += 1
            left = set(threading.enumerate()) - before
            assert not [thread for thread in left if thread.name.startswith("photo_batches")]
    assert deaths >= 2
    assert_same(continued, undisturbed)


def test_a_training_that_ended_before_its_model_was_saved_is_not_trained_again(
    undisturbed, tmp_path: Path
) -> None:
    small_training(Checkpoint(tmp_path))
    before = (tmp_path / "last.npz").stat().st_mtime_ns
    again = small_training(Checkpoint(tmp_path))
    assert_same(again, undisturbed)
    assert (tmp_path / "last.npz").stat().st_mtime_ns == before


def test_a_killed_process_is_continued_to_the_same_weights(undisturbed, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from car_segmentation.training.checkpoints import Checkpoint\n"
        "from tests.support.trainings import small_training\n"
        f"small_training(Checkpoint(Path({str(tmp_path)!r})))\n"
    )
    rng = random.Random(5)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )
        while not (tmp_path / "last.npz").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))  # A step takes milliseconds.
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
    assert_same(small_training(Checkpoint(tmp_path)), undisturbed)


def test_ctrl_c_keeps_the_best_model_so_far_and_the_place(undisturbed, tmp_path: Path) -> None:
    class Interrupting(Checkpoint):
        def write_last(self, progress, state) -> None:
            super().write_last(progress, state)
            if (progress.epoch, progress.batches) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped) as stopped:
        small_training(Interrupting(tmp_path))
    assert "interrupted in epoch 3, batch 2 of 4" in str(stopped.value)
    assert "The best model so far is kept" in str(stopped.value)
    assert len(stopped.value.history["val_loss"]) == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert_same(small_training(Checkpoint(tmp_path)), undisturbed)


def test_a_loss_that_is_no_number_ends_it_with_advice() -> None:
    settings = TRAINING.model_copy(update={"learning_rate": 1e38, "optimizer": "sgd"})
    with pytest.raises(TrainingStopped) as stopped:
        train(tiny_network(), batches(), batches(), settings, lambda *_: None)
    message = str(stopped.value)
    assert "The loss (bce_dice) became nan in epoch" in message
    assert "at a learning rate of 1e+38 in float32" in message
    assert "Try a lower training.learning_rate or training.global_clipnorm=1." in message


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")]
)
def test_lack_of_memory_ends_it_with_advice(error: Exception) -> None:
    def fail(epoch: int, metrics: dict[str, float]) -> None:
        raise error

    with pytest.raises(TrainingStopped) as stopped:
        train(tiny_network(), batches(), batches(), TRAINING, fail)
    message = str(stopped.value)
    assert "Memory ran out in training segnet_unet on batches of 2 photos of 32×32" in message
    assert "training.batch_size=1 with training.gradient_accumulation_steps=2" in message
    assert "The best model so far is kept, of epoch 1" in message


def test_a_batch_that_does_not_fit_is_halved_and_accumulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def step(network: keras.Model, photos: np.ndarray, masks: np.ndarray) -> None:
        tried.append((photos.shape, masks.shape))
        if len(photos) > 2:
            raise MemoryError

    monkeypatch.setattr(keras.Model, "train_on_batch", step)
    network = tiny_network()
    changes = {"batch_size": 8, "gradient_accumulation_steps": 3, "fit_to_memory": True}
    settings = TRAINING.model_copy(update=changes)
    fitted = fit_to_memory(network, settings)
    assert tried == [((size, 32, 32, 3), (size, 32, 32, 1)) for size in (8, 4, 2)]
    assert fitted == settings.model_copy(
        update={"batch_size": 2, "gradient_accumulation_steps": 12}
    )
    assert not network.compiled
    assert fit_to_memory(network, TRAINING) is TRAINING
    assert len(tried) == 3


def test_other_errors_are_defects() -> None:
    def fail(epoch: int, metrics: dict[str, float]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(tiny_network(), batches(), batches(), TRAINING, fail)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_epoch_trains_on_its_own_batches(workers: int) -> None:
    """The mean of what a fit sees, photo by photo, is that of the epoch's own batches."""
    photo = keras.Input((32, 32, 3))
    network = keras.Model(photo, keras.layers.Conv2D(1, 1, kernel_initializer="ones")(photo))

    class Brightness(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            seen.append(round(float(logs["brightness"]), 2))

    def brightness(_, output):
        return keras.ops.mean(output, (1, 2, 3))

    network.compile("sgd", loss=lambda _, out: 0 * brightness(_, out), metrics=[brightness])
    order = PhotoBatches(SEVEN_PHOTOS, SEVEN_TRUTHS, SEVEN, 2, VARIED, seed=3, workers=workers)
    seen: list[float] = []
    network.fit(order, epochs=3, verbose=0, callbacks=[Brightness()], shuffle=False)
    expected = []
    for epoch in (1, 2, 3):  # A fit ends an epoch before the first.
        order.begin_epoch(epoch)
        photos = [order[number][0].sum(-1).mean((1, 2)) for number in range(4)]
        expected += [np.concatenate(photos[: n + 1]).mean() for n in range(4)]
    assert seen == pytest.approx(expected, rel=1e-3)


def test_the_fingerprint_tells_trainings_apart() -> None:
    keras.backend.clear_session()
    network = tiny_network()
    this = fingerprint(network, batches(VARIED), batches(), TRAINING)
    assert fingerprint(network, batches(VARIED), batches(), TRAINING) == this
    without_effect = TRAINING.model_copy(update={"checkpoint_minutes": 1.0, "loader_workers": 9})
    assert fingerprint(network, batches(VARIED), batches(), without_effect) == this
    slower = TRAINING.model_copy(update={"learning_rate": 0.001})
    assert fingerprint(network, batches(VARIED), batches(), slower) != this
    assert fingerprint(network, batches(), batches(), TRAINING) != this
    changed = ImageStack(tuple(IDS), PHOTO_STACK.pixels ^ np.uint8(1))
    others = PhotoBatches(changed, MASK_STACK, IDS, 2, VARIED, seed=1)
    assert fingerprint(network, others, batches(), TRAINING) != this
    network.trainable_weights[0].assign(network.trainable_weights[0] + 1)
    assert fingerprint(network, batches(VARIED), batches(), TRAINING) != this
