"""The progress of a training on the console, as Keras shows it."""

import sys
from collections.abc import Mapping

import keras


class ProgressDisplay:
    """A bar that moves in a terminal; a line for each epoch in a file.

    Args:
        epoch: From 0.
        epochs: How many the training has at most.
        batches: How many an epoch has.
    """

    def __init__(self, epoch: int, epochs: int, batches: int) -> None:
        print(f"Epoch {epoch + 1}/{epochs}", flush=True)  # noqa: T201
        self._bar = keras.utils.Progbar(
            batches, verbose=1 if sys.stdout.isatty() else 2, unit_name="step"
        )

    def update(self, batches: int, means: Mapping[str, float]) -> None:
        """Show how many batches are done, and the epoch's metrics so far."""
        self._show(batches, means, finalize=False)

    def end(self, batches: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of the whole epoch, those of the validation included."""
        self._show(batches, metrics, finalize=True)

    def _show(self, batches: int, metrics: Mapping[str, float], finalize: bool) -> None:
        self._bar.stateful_metrics.update(metrics)  # Shown as they are, not averaged once more.
        self._bar.update(batches, list(metrics.items()), finalize=finalize)
