import pytest

from car_segmentation.training.early_stopping import Progress
from tests.support.trainings import TRAINING


def ended(*losses: float, **settings: object) -> Progress:
    """After epochs of one photo, whose validation losses are given."""
    chosen = {"epochs": 9, "patience": 2, "min_delta": 0.0} | settings
    progress = Progress()
    for loss in losses:
        assert not progress.ended
        progress.end_batch({"loss": 0.1}, 1)
        progress.end_epoch({"loss": loss}, TRAINING.model_copy(update=chosen))
    return progress


def test_the_best_epoch_is_that_of_the_least_loss() -> None:
    progress = ended(0.5, 0.3, 0.4)
    assert (progress.best_epoch, progress.best_loss, progress.epochs_without_gain) == (1, 0.3, 1)
    assert (progress.epoch, progress.batches, progress.ended) == (3, 0, False)
    assert progress.by_metric() == {"loss": [0.1] * 3, "val_loss": [0.5, 0.3, 0.4]}


def test_an_epochs_metrics_are_means_over_its_photos() -> None:
    progress = Progress()
    progress.end_batch({"loss": 0.5, "dice": 1.0}, 3)
    progress.end_batch({"loss": 0.25, "dice": 0.0}, 1)
    assert (progress.batches, progress.photos) == (2, 4)
    assert progress.means() == {"loss": 1.75 / 4, "dice": 0.75}
    progress.end_epoch({"loss": 0.1}, TRAINING)
    assert progress.history == [{"loss": 1.75 / 4, "dice": 0.75, "val_loss": 0.1}]
    assert (progress.batches, progress.photos, progress.sums) == (0, 0, {})


@pytest.mark.parametrize(
    ("losses", "patience", "is_ended"),
    [
        ([0.3, 0.4, 0.5], 2, True),
        ([0.3, 0.4], 2, False),
        ([0.3, 0.4, 0.2, 0.5], 2, False),
        ([0.3], 0, False),
        ([0.3, 0.3], 0, True),
    ],
)
def test_patience(losses: list[float], patience: int, is_ended: bool) -> None:
    assert ended(*losses, patience=patience).ended == is_ended


def test_a_gain_below_min_delta_is_none() -> None:
    assert ended(0.5, 0.45, min_delta=0.1).best_epoch == 0
    assert ended(0.5, 0.39, min_delta=0.1).best_epoch == 1


def test_the_last_epoch_ends_the_training() -> None:
    assert ended(0.5, 0.4, epochs=2).ended


def test_a_plateau_lowers_the_rate_every_time_that_patience_is_over() -> None:
    losses = [0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4]
    schedule = {"schedule": "plateau", "plateau_patience": 2, "patience": 9}
    reductions = [ended(*losses[:n], **schedule).reductions for n in range(1, 9)]
    assert reductions == [0, 0, 1, 1, 2, 2, 2, 3]
    assert ended(*losses, plateau_patience=2, patience=9).reductions == 0
