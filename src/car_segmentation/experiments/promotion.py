"""Decide whether a new model replaces the champion."""

from dataclasses import dataclass

from car_segmentation.evaluation.run_comparison import (
    RunRecord,
    compare_scores,
    dice_difference,
    scored_by_other_masks,
)
from car_segmentation.parameters import CARS, Subject


@dataclass(frozen=True)
class Decision:
    """Outcome for a candidate.

    Attributes:
        promoted: Whether it becomes the champion.
        why: The reason, for the user.
    """

    promoted: bool
    why: str


def decide(
    candidate: RunRecord, champion: RunRecord | None, seed: int, subject: Subject = CARS
) -> Decision:
    """Promote a candidate that is better than the champion beyond noise.

    Both are compared on the test photos that they share, none of which either was trained on: the
    95 % interval over cars of the change of Dice (`uncertainty.paired_difference`) must lie above
    0.

    Args:
        candidate: The run of the new model.
        champion: The run of the model in use; None: there is none, and the first one wins.
        seed: Of the bootstrap.
        subject: What cars are called.

    Raises:
        UserError: If no photo was scored by both.
    """
    if champion is None:
        return Decision(True, "there is no champion yet.")
    if candidate.run_id == champion.run_id:
        return Decision(False, "there is no newer version.")
    changes = compare_scores(champion, candidate)
    difference = dice_difference(changes, seed)
    numbers = (
        f"mean Dice changes by {difference.mean:+.5f} on {difference.photos} test photos of "
        f"{subject.count(difference.cars)}"
    )
    corrected = len(scored_by_other_masks(champion, candidate))
    if corrected:
        numbers += f" ({corrected} more are left out, because their masks were corrected since)"
    interval = difference.interval
    if interval is None:
        return Decision(False, f"{numbers}, which is too few for an interval.")
    numbers += f" (95 % interval {interval.low:+.5f} to {interval.high:+.5f})"
    if interval.low > 0:
        return Decision(True, f"{numbers}, significantly better.")
    worse = "significantly worse" if interval.high < 0 else "not significant"
    return Decision(False, f"{numbers}, {worse}.")
