import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.augmentation import Augmentation
from car_segmentation.training import time_budget
from car_segmentation.training.devices import Devices
from car_segmentation.training.time_budget import apply_budget, epochs_in_minutes, seconds_per_photo
from car_segmentation.training.trainer import train
from tests.support.trainings import TRAINING, batches, tiny_network


def test_minutes_become_epochs_by_the_time_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photos; at 5 s a photo, a minute is six epochs."""
    monkeypatch.setattr(time_budget, "seconds_per_photo", lambda *_: 5.0)
    given, network = batches(Augmentation()), tiny_network()
    settings = TRAINING.model_copy(update={"minutes": 1.0, "epochs": 7})
    assert epochs_in_minutes(network, settings, given) == (6, 2)
    few = settings.model_copy(update={"epochs": 4})
    assert epochs_in_minutes(network, few, given) == (4, 2)  # All of them fit.
    fitted = apply_budget(settings, given, 6, 2)
    assert fitted == settings.model_copy(update={"epochs": 6})
    # A photo and a half in each is one, so that the time is kept.
    short = settings.model_copy(update={"minutes": 0.25})
    assert epochs_in_minutes(network, short, given) == (2, 1)
    apply_budget(short, given, 2, 1)
    history = train(
        network, given, batches(), fitted.model_copy(update={"epochs": 2}), lambda *_: None
    )
    assert len(history["loss"]) == 2
    assert [batch.size for batch in given.epoch()] == [1]


def test_a_timed_network_is_left_as_it_is() -> None:
    network, batch = tiny_network(), next(batches(Augmentation()).epoch())
    before = network.get_weights()
    assert 0 < seconds_per_photo(network, TRAINING, batch, timed_steps=1) < 60
    assert not network.compiled
    assert all((a == b).all() for a, b in zip(before, network.get_weights(), strict=True))


def test_minutes_are_timed_on_one_device() -> None:
    with pytest.raises(UserError, match=r"training\.minutes times steps on one device"):
        epochs_in_minutes(tiny_network(), TRAINING, batches(), Devices(count=2))
