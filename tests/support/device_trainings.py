"""Small trainings on one device and on two, for `test_devices`, each run in a process of its own.

    python -m tests.support.device_trainings FILE CASE…

writes what came of the cases to FILE.npz, under ``CASE.one.…`` and ``CASE.two.…``.
"""

import json
import sys
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pytest

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.networks.registry import build_network
from car_segmentation.training.batches import Batch, PhotoBatches
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.devices import Devices, find_devices, join_processes
from car_segmentation.training.precision import precision
from car_segmentation.training.trainer import train
from tests.support.photos import disc_mask, photo_of
from tests.support.trainings import TRAINING

IDS = [str(number) for number in range(11)]
MASKS = np.stack([disc_mask(16, 16, 3 + number / 2) for number in range(11)])
PHOTOS = ImageStack(
    tuple(IDS), np.stack([photo_of(mask, number) for number, mask in enumerate(MASKS)])
)
TRUTHS = ImageStack(tuple(IDS), MASKS.astype(np.uint8) * 255)
VARIED = Augmentation(shift=0.1, scale=0.1, probability=0.5, flip_probability=0.5)

SGD: dict[str, Any] = {
    **{"batch_size": 4, "epochs": 2, "optimizer": "sgd", "learning_rate": 0.1},
    **{"devices": "all", "checkpoint_minutes": 0.0},
}
CASES: dict[str, dict[str, Any]] = {
    "killed": SGD | {"schedule": "cosine"},
    # What TensorFlow cannot do on several devices.
    "more": SGD
    | {"precision": "mixed_float16", "gradient_accumulation_steps": 2}
    | {"ema_momentum": 0.7, "global_clipnorm": 0.05},
}


class Killed(Exception):
    """Stands for the end of the process."""


class Dying(PhotoBatches):
    """Batches whose process is gone before the second one of the second epoch."""

    def epoch(self, epoch: int = 0, start: int = 0) -> Generator[Batch, None, None]:
        """The first batch alone, in the second epoch."""
        for number, batch in enumerate(super().epoch(epoch, start), start):
            if (epoch, number) == (1, 1):
                raise Killed
            yield batch


def small_training(
    case: str,
    devices: Devices,
    checkpoint: Checkpoint | None = None,
    kind: type[PhotoBatches] = PhotoBatches,
) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    """History and weights after two epochs of two batches; three batches validate."""
    settings = TRAINING.model_copy(update=CASES[case])
    keras.utils.set_random_seed(1)
    with precision(settings.precision):
        network = build_network(
            "segnet_unet", 16, 16, filters=[4], centre_filters=4, batch_norm_momentum=0.5
        )
    training, validation = (
        kind(PHOTOS, TRUTHS, ids, 4, varied, seed=3, workers=2)
        for ids, varied in ((IDS[:8], VARIED), (IDS, None))
    )
    history = train(
        network, training, validation, settings, lambda *_: None, checkpoint, devices=devices
    )
    return history, network.get_weights()


def killed_and_continued(
    devices: Devices, folder: Path
) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    """The case ``killed``, by two trainings: the first dies within its second epoch."""
    with pytest.raises(Killed):
        small_training("killed", devices, Checkpoint(folder), Dying)
    return small_training("killed", devices, Checkpoint(folder))


def make_two_devices() -> None:
    """Have TensorFlow see two devices; JAX is told by its environment."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def main() -> None:
    target, *cases = sys.argv[1:]
    join_processes()
    make_two_devices()
    two = find_devices("all")
    assert two.count == 2, two
    results: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for case in cases:
            # In several processes there is nobody to be one device.
            for name, devices in {"one": Devices(), "two": two}.items():
                if name == "one" and two.processes > 1:
                    continue
                if case == "killed" and name == "two":
                    history, weights = killed_and_continued(devices, Path(folder))
                else:
                    history, weights = small_training(case, devices)
                results[f"{case}.{name}.history"] = json.dumps(history)
                results |= {f"{case}.{name}.{n}": value for n, value in enumerate(weights)}
    if two.process == 0:
        np.savez(target, **results)


if __name__ == "__main__":
    main()
