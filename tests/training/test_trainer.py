import logging
from collections.abc import Generator
from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.parameters import Stage
from car_segmentation.training.batches import Batch, PhotoBatches
from car_segmentation.training.losses import build_loss
from car_segmentation.training.trainer import train, without_training_state
from tests.support.trainings import (
    IDS,
    MASK_STACK,
    PHOTO_STACK,
    SEVEN,
    SEVEN_PHOTOS,
    SEVEN_TRUTHS,
    TRAINING,
    VARIED,
    batches,
    tiny_network,
)


def loss_of(network: keras.Model) -> float:
    batch = next(batches().epoch())
    return network.test_on_batch(batch.photos, batch.masks, return_dict=True)["loss"]


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
        def epoch(self, epoch: int = 0, start: int = 0) -> Generator[Batch, None, None]:
            for batch in super().epoch(epoch, start):
                shown.setdefault(epoch, set()).add(batch.photos.shape[1:3])
                yield batch

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
    assert loss_of(kept) == pytest.approx(min(history["val_loss"]), rel=1e-4)
    assert [m for m in caplog.messages if m.startswith("Training on")] == [
        "Training on whole photos at 24×16.",
        "Training on crops of photos at 16×24.",
        "Training on whole photos at 32×32.",
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
    assert loss_of(network) == pytest.approx(history["val_loss"][int(best["epoch"])], rel=1e-4)
    assert "Stopped early" in caplog.text


@pytest.mark.parametrize(("start_from", "warnings"), [(None, 1), ("model.keras", 0)])
def test_statistics_of_a_trained_model_are_not_initial_values(
    caplog: pytest.LogCaptureFixture, start_from: str | None, warnings: int
) -> None:
    settings = TRAINING.model_copy(update={"epochs": 1, "patience": 1, "start_from": start_from})
    train(tiny_network(), batches(), batches(), settings, lambda *_: None)
    assert caplog.text.count("moving statistics are still made up of") == warnings


def test_without_training_state_predicts_the_same() -> None:
    network = tiny_network()
    network.compile(optimizer="adam", loss="mse")
    bare = without_training_state(network)
    photos = PHOTO_STACK.pixels
    assert np.array_equal(bare.predict_on_batch(photos), network.predict_on_batch(photos))
    assert not bare.compiled


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
    assert rates == pytest.approx([0.01] * 3 + [0.005] * 2 + [0.0025])


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
        loss = loss_of(network)
        for weight, value in zip(network.trainable_weights, trained, strict=True):
            weight.assign(value)
        seen.append((loss, metrics["val_loss"], [average.copy() for average in averages]))

    history = train(network, batches(), batches(), settings, on_epoch_end)
    assert [judged for _, judged, _ in seen] == pytest.approx([own for own, _, _ in seen], rel=1e-4)
    kept = seen[int(np.argmin(history["val_loss"]))][2]
    for weight, average in zip(network.trainable_weights, kept, strict=True):
        assert np.array(weight) == pytest.approx(average, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_epochs_metrics_are_means_over_its_own_photos(workers: int) -> None:
    """With weights that do not move; seven photos make four batches."""
    photo = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(photo)
    network = keras.Model(photo, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    training, validation = (
        PhotoBatches(SEVEN_PHOTOS, SEVEN_TRUTHS, SEVEN, 2, varied, seed=3, workers=workers)
        for varied in (VARIED, None)
    )
    settings = TRAINING.model_copy(
        update={"epochs": 2, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 1e-12}
    )
    history = train(network, training, validation, settings, lambda *_: None)
    loss = build_loss(settings)
    for epoch in range(2):
        for name, given in (
            ("loss", training.epoch(epoch)),
            ("val_loss", validation.epoch(epoch)),
        ):
            losses = [np.array(loss(b.masks, network.predict_on_batch(b.photos))) for b in given]
            assert history[name][epoch] == pytest.approx(np.concatenate(losses).mean(), rel=1e-5)
