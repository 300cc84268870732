"""Trainings of a second or less."""

import keras
import numpy as np

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.networks.registry import build_network
from car_segmentation.parameters import Training
from car_segmentation.training.batches import PhotoBatches
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.trainer import train
from tests.support.photos import disc_mask, photo_of

TRAINING = Training(
    loss="bce_dice",
    border_kernel=3,
    border_weight=0,
    optimizer="adam",
    learning_rate=0.01,
    weight_decay=0,
    schedule="constant",
    warmup_fraction=0,
    batch_size=2,
    epochs=30,
    patience=30,
    min_delta=0,
    precision="float32",
    jit_compile=False,
    loader_workers=1,
)
"""A plain training, to vary."""


IDS = ["a", "b"]
MASKS = np.stack([disc_mask(32, 32, radius) for radius in (8, 12)])
PHOTO_STACK = ImageStack(tuple(IDS), np.stack([photo_of(mask) for mask in MASKS]))
MASK_STACK = ImageStack(tuple(IDS), MASKS.astype(np.uint8) * 255)


def tiny_network() -> keras.Model:
    """A network for photos of 32×32; the same weights each time."""
    keras.utils.set_random_seed(1)
    return build_network(
        "segnet_unet", 32, 32, filters=[8, 16], centre_filters=16, batch_norm_momentum=0.5
    )


def batches(augmentation: Augmentation | None = None) -> PhotoBatches:
    """Two photos in one batch."""
    return PhotoBatches(PHOTO_STACK, MASK_STACK, IDS, 2, augmentation, seed=1)


SEVEN = [f"{number}" for number in range(7)]
SEVEN_MASKS = np.stack([disc_mask(32, 32, radius) for radius in range(6, 13)])
SEVEN_PHOTOS = ImageStack(tuple(SEVEN), np.stack([photo_of(mask) for mask in SEVEN_MASKS]))
SEVEN_TRUTHS = ImageStack(tuple(SEVEN), SEVEN_MASKS.astype(np.uint8) * 255)

VARIED = Augmentation(shift=0.1, scale=0.1, probability=0.5, flip_probability=0.5)
CHANGING = TRAINING.model_copy(
    update={
        **{
            "optimizer": "adamw",
            "weight_decay": 1e-3,
            "schedule": "plateau",
            "learning_rate": 0.03,
        },
        **{"plateau_patience": 1, "patience": 3, "min_delta": 0.05, "ema_momentum": 0.8},
        **{
            "gradient_accumulation_steps": 3,
            "global_clipnorm": 1.0,
            "epochs": 4,
            "checkpoint_minutes": 0.0,
        },
    }
)
"""Where everything that has a state is in use."""


def small_training(
    checkpoint: Checkpoint | None, settings: Training = CHANGING
) -> tuple[list[np.ndarray], dict, list]:
    """Four epochs of four batches, with all that has a state: weights, history, epochs told of."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(2)
    photo = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(photo)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(x))
    network = keras.Model(photo, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    training, validation = (
        PhotoBatches(SEVEN_PHOTOS, SEVEN_TRUTHS, ids, 2, varied, seed=3, workers=2)
        for ids, varied in ((SEVEN, VARIED), (SEVEN[:3], None))
    )
    told: list[tuple[int, dict[str, float]]] = []
    history = train(
        network,
        training,
        validation,
        settings,
        lambda epoch, metrics: told.append((epoch, dict(metrics))),
        checkpoint,
    )
    return network.get_weights(), history, told


def assert_same(one: tuple, other: tuple) -> None:
    """Compare what `small_training` returned, to the bit."""
    assert one[1] == other[1]
    assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    assert dict(one[2]) == dict(other[2])
