import logging

import keras
import numpy as np
import pytest

from car_segmentation.augmentation import Augmentation
from car_segmentation.batches import PhotoBatches
from car_segmentation.errors import UserError
from car_segmentation.networks import build_network
from car_segmentation.stacks import ImageStack
from car_segmentation.training import (
    build_optimizer,
    compile_network,
    train,
    without_training_state,
)
from tests.conftest import TRAINING, disc_mask, photo_of

IDS = ["a", "b"]
MASKS = np.stack([disc_mask(32, 32, radius) for radius in (8, 12)])
PHOTO_STACK = ImageStack(tuple(IDS), np.stack([photo_of(mask) for mask in MASKS]))
MASK_STACK = ImageStack(tuple(IDS), MASKS.astype(np.uint8) * 255)


def tiny_network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_network(
        "segnet_unet", 32, 32, filters=[8, 16], centre_filters=16, batch_norm_momentum=0.5
    )


def batches(augmentation: Augmentation | None = None) -> PhotoBatches:
    return PhotoBatches(PHOTO_STACK, MASK_STACK, IDS, 2, augmentation, seed=1)


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
    settings = TRAINING.model_copy(update={"schedule": "cosine", "warmup_share": 0.1})
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
    settings = TRAINING.model_copy(update={"encoder_rate": 0.1})
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
    settings = TRAINING.model_copy(update={"encoder_rate": 0.1})
    with pytest.raises(UserError, match=r"training\.encoder_rate = 0\.1: the network segnet_unet"):
        compile_network(tiny_network(), settings, steps=1)
