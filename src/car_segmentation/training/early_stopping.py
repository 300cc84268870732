"""Progress of a training and early stopping: the best epoch, patience, plateaus.

Keras' own callbacks keep this to themselves, so that it would be lost with the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from car_segmentation.parameters import Training


@dataclass
class Progress:
    """Progress of a training: all of its state that is not in variables of Keras.

    Attributes:
        epoch: The epoch being trained, from 0.
        batches: How many of its batches are done.
        photos: How many photos these had.
        sums: Of each metric of these photos; divided by ``photos``, the epoch's mean so far.
        history: The metrics of each finished epoch.
        best_loss: The validation loss of the best epoch; None before the first has ended.
        best_epoch: The best epoch, from 0.
        epochs_without_gain: Epochs since the best one.
        epochs_at_rate: Epochs without gain since a plateau last lowered the learning rate.
        reductions: How often it did.
        ended: Whether no epoch is left to train.
    """

    epoch: int = 0
    batches: int = 0
    photos: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float | None = None
    best_epoch: int | None = None
    epochs_without_gain: int = 0
    epochs_at_rate: int = 0
    reductions: int = 0
    ended: bool = False

    def end_batch(self, metrics: Mapping[str, float], photos: int) -> None:
        """Add the means over the photos of a batch."""
        self.batches += 1
        self.photos += photos
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + photos * value

    def means(self) -> dict[str, float]:
        """The metrics of the epoch so far."""
        return {name: total / self.photos for name, total in self.sums.items()}

    def end_epoch(self, validation: Mapping[str, float], settings: Training) -> bool:
        """Compare an epoch with the best one, and decide whether the training continues.

        A gain is a fall of the validation loss by more than ``min_delta``. After ``patience``
        epochs without one the training has ended; after ``plateau_patience``, the schedule
        ``plateau`` lowers the learning rate. The first epoch ends nothing.

        Args:
            validation: Means over the validation photos, ``loss`` among them.
            settings: The training's parameters.

        Returns:
            Whether this epoch is the best so far.
        """
        loss = validation["loss"]
        best = self.best_loss is None or loss < self.best_loss - settings.min_delta
        if best:
            self.best_loss, self.best_epoch = loss, self.epoch
            self.epochs_without_gain = self.epochs_at_rate = 0
        else:
            self.epochs_without_gain += 1
            self.epochs_at_rate += 1
        if settings.schedule == "plateau" and self.epochs_at_rate >= settings.plateau_patience:
            self.epochs_at_rate = 0
            self.reductions += 1
        self.history.append(
            self.means() | {f"val_{name}": value for name, value in validation.items()}
        )
        self.epoch += 1
        self.batches, self.photos, self.sums = 0, 0, {}
        out_of_patience = not best and self.epochs_without_gain >= settings.patience
        self.ended = out_of_patience or self.epoch == settings.epochs
        return best

    def by_metric(self) -> dict[str, list[float]]:
        """The history as a list for each metric; empty before the first epoch has ended."""
        names = self.history[0] if self.history else {}
        return {name: [epoch[name] for epoch in self.history] for name in names}
