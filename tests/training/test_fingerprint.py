import keras
import numpy as np

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.training.batches import PhotoBatches
from car_segmentation.training.fingerprint import fingerprint
from tests.support.trainings import (
    IDS,
    MASK_STACK,
    PHOTO_STACK,
    TRAINING,
    VARIED,
    batches,
    tiny_network,
)


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
    # The weights count, not where they were.
    elsewhere = TRAINING.model_copy(update={"start_from": "models:/cars/3"})
    assert fingerprint(network, batches(VARIED), batches(), elsewhere) == this
    network.trainable_weights[0].assign(network.trainable_weights[0] + 1)
    assert fingerprint(network, batches(VARIED), batches(), TRAINING) != this
