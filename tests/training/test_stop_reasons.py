"""What ends a training early, and what the user is told."""

import pytest

from car_segmentation.training.stop_reasons import TrainingStopped
from car_segmentation.training.trainer import train
from tests.support.trainings import (
    TRAINING,
    batches,
    tiny_network,
)


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
    assert "Out of memory in training segnet_unet on batches of 2 photos of 32×32" in message
    assert "training.batch_size=1 with training.gradient_accumulation_steps=2" in message
    assert "The best model so far is kept, of epoch 1" in message


def test_other_errors_are_defects() -> None:
    def fail(epoch: int, metrics: dict[str, float]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(tiny_network(), batches(), batches(), TRAINING, fail)
