"""A digest that identifies a training, so that only the very same training is resumed."""

import hashlib
import json

import keras

from car_segmentation.parameters.training import SAME_WEIGHTS, Training
from car_segmentation.training.batches import PhotoBatches


def fingerprint(
    network: keras.Model,
    training_batches: PhotoBatches,
    validation_batches: PhotoBatches,
    settings: Training,
) -> str:
    """A digest of all that the trained weights depend on, except code and machines.

    Args:
        network: Before training: its weights count.
        training_batches: What it is trained on.
        validation_batches: What decides which epoch is best.
        settings: How it is trained.
    """
    content = {
        "network": network.to_json(),
        "weights": weights_digest(network),
        "training": training_batches.fingerprint(),
        "validation": validation_batches.fingerprint(),
        "settings": settings.model_dump(exclude=SAME_WEIGHTS | {"start_from"}),
        "keras": [keras.__version__, keras.backend.backend()],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def weights_digest(network: keras.Model) -> str:
    """The SHA-256 of a network's weights, in hexadecimal: the same in whatever file they are."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
