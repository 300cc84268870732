import logging

import keras
import pytest

from car_segmentation.training.moving_statistics import warn_of_slow_statistics


def normalised(momentum: float) -> keras.Model:
    inner = keras.Sequential(
        [keras.Input((2, 2, 3)), keras.layers.BatchNormalization(momentum=momentum)]
    )
    return keras.Sequential([keras.Input((2, 2, 3)), inner])


def test_statistics_that_are_not_gathered_in_time_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_slow_statistics(normalised(0.99), batches=56, patience=2)
    (message,) = caplog.messages
    # 0.99¹⁶⁸ = 0.185, 0.97¹⁶⁸ = 0.006
    assert "After 168 batches," in message
    assert "18 % initial values" in message
    assert "network.batch_norm_momentum=0.97 or less (now 0.99)" in message


@pytest.mark.parametrize(
    ("momentum", "batches", "patience"), [(0.99, 448, 2), (0.98, 448, 16), (0.9, 2, 20)]
)
def test_statistics_that_are_gathered_are_not(
    caplog: pytest.LogCaptureFixture, momentum: float, batches: int, patience: int
) -> None:
    warn_of_slow_statistics(normalised(momentum), batches, patience)
    assert not caplog.messages


def test_networks_without_batch_normalisation_are_not(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_slow_statistics(keras.Sequential([keras.Input((2, 2, 3))]), batches=1, patience=0)
    assert not caplog.messages
