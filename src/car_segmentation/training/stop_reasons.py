"""Why a training stopped before its time, in one message that says what to change."""

from typing import Any

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Training
from car_segmentation.training.early_stopping import Progress


class TrainingStopped(UserError):
    """A training ended before its time.

    Attributes:
        history: As `train` returns it; empty where no epoch was finished. Otherwise the network
            has the best weights so far.
    """

    def __init__(self, message: str, history: dict[str, list[float]]):
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> Any:
        # Exceptions travel between processes as what their constructor takes.
        return type(self), (str(self), self.history)


class StopReason(Exception):
    """Ends the loop of a training; the message says why."""


def interrupted(place: str) -> StopReason:
    """Ctrl-C or SIGTERM."""
    return StopReason(f"Training was interrupted in {place}. The same command resumes it.")


def not_finite(
    loss: float, place: str, learning_rate: float, settings: Training, name: str = "loss"
) -> StopReason:
    """A loss that is NaN or infinite.

    Args:
        loss: Its value.
        place: Where in the training.
        learning_rate: That of the step.
        settings: The training's parameters.
        name: ``loss``, or ``validation loss``.
    """
    advice = ["a lower training.learning_rate"]
    if settings.global_clipnorm is None:
        advice.append("training.global_clipnorm=1")
    if settings.precision != "float32":
        advice.append("training.precision=float32")
    return StopReason(
        f"The {name} ({settings.loss}) became {loss:g} in {place}, at a learning rate of "
        f"{learning_rate:.3g} in {settings.precision}. Try {' or '.join(advice)}."
    )


def out_of_memory(network: str, size: tuple[int, int], settings: Training) -> StopReason:
    """A step that does not fit into memory.

    Args:
        network: Its name.
        size: Height and width of the photos of the step.
        settings: The training's parameters.
    """
    height, width = size
    advice = []
    if settings.batch_size > 1:
        half = settings.batch_size // 2
        twice = 2 * settings.gradient_accumulation_steps
        advice.append(
            f"training.batch_size={half} with training.gradient_accumulation_steps={twice}, which "
            "trains on as many photos in a step"
        )
        if not settings.fit_to_memory:
            advice.append("training.fit_to_memory=true, which finds such a batch")
    if settings.precision == "float32":
        advice.append("training.precision=mixed_bfloat16")
    advice.append("a smaller image or network")
    return StopReason(
        f"Out of memory in training {network} on batches of {settings.batch_size} photos "
        f"of {width}×{height} in {settings.precision}. Try {', or '.join(advice)}."
    )


AFTER_TRAINING = (
    "--pipelines=modelling,reporting "
    "--from-nodes=choose_threshold,plot_learning_curves,predict_photos"
)
"""Options of Kedro for all steps that follow a training."""


def best_so_far(progress: Progress) -> str:
    """Message on the model that a stopped training leaves, and on its use."""
    if progress.best_epoch is None:
        return "No epoch was finished, so no model was saved."
    return (
        f"The best model so far is kept, of epoch {progress.best_epoch + 1} (validation loss "
        f"{progress.best_loss:.4f}); `kedro run {AFTER_TRAINING}` continues with it."
    )
