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
    # One step is finite, and what comes after it is not.
    with pytest.raises(TrainingStopped) as stopped:
        train(tiny_network(), batches(), batches(), settings, lambda *_: None)
    message = str(stopped.value)
    assert "loss (bce_dice) became nan in epoch" in message
    assert "at a learning rate of 1e+38 in float32" in message
    assert "Try a lower training.learning_rate or training.global_clipnorm=1." in message


@pytest.mark.parametrize(
    ("precision", "advice"),
    [
        ("float32", "Try a lower training.learning_rate or training.global_clipnorm=1."),
        ("mixed_bfloat16", "or training.precision=float32."),
    ],
)
def test_a_validation_loss_that_is_no_number_ends_it_with_advice(
    precision: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a processor did whose bfloat16 is emulated: only the graph of predictions was wrong.
    nan = {"loss": float("nan"), "dice": 0.0}
    monkeypatch.setattr("car_segmentation.training.trainer._Loop._validate", lambda _: nan)
    settings = TRAINING.model_copy(update={"precision": precision})
    with pytest.raises(TrainingStopped) as stopped:
        train(tiny_network(), batches(), batches(), settings, lambda *_: None)
    message = str(stopped.value)
    assert "The validation loss (bce_dice) became nan in epoch 1, batch 1 of 1" in message
    assert advice in message
    assert "No epoch was finished, so no model was saved." in message


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
