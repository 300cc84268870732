import logging

import keras
import pytest

from car_segmentation.training.moving_statistics import warn_of_slow_statistics


def normalised(momentum: float) -> keras.Model:
    inner = keras.Sequential(
        [keras.Input((2, 2, 3)), keras.layers.BatchNormalization(momentum=momentum)]
    )
    return keras.Sequential([keras.Input((2, 2, 3)), inner])


def test_statistics_that_an_epoch_does_not_gather_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_slow_statistics(normalised(0.99), batches=56)  # 0.99⁵⁶ = 0.57, 0.92⁵⁶ = 0.009
    (message,) = caplog.messages
    assert "An epoch has 56 batches." in message
    assert "57 % initial values" in message
    assert "network.batch_norm_momentum=0.92 or less (now 0.99)" in message


@pytest.mark.parametrize(("momentum", "batches"), [(0.99, 230), (0.98, 448), (0.9, 22)])
def test_statistics_that_an_epoch_gathers_are_not(
    caplog: pytest.LogCaptureFixture, momentum: float, batches: int
) -> None:
    warn_of_slow_statistics(normalised(momentum), batches)
    assert not caplog.messages


def test_networks_without_batch_normalisation_are_not(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_slow_statistics(keras.Sequential([keras.Input((2, 2, 3))]), batches=1)
    assert not caplog.messages
