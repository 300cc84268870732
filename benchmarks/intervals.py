"""How often 95 % intervals of mean Dice hold the truth, where cars differ and their photos agree.

    python benchmarks/intervals.py

Photos are drawn whose truth is known: each car has a Dice of its own, and its 16 photos lie around
it. For each set of cars three intervals are made: ours (cars drawn again, and widened), plain
percentiles of the same draws, and the bootstrap over photos, as if they were independent.
"""

import numpy as np

from car_segmentation.evaluation import bootstrap as uncertainty
from car_segmentation.evaluation.bootstrap import mean_interval

SETS = 1000
RESAMPLES = 1000
CARS = (5, 16)
VIEWS = 16
TRUE_DICE = 0.99
CAR_SPREAD, PHOTO_SPREAD = 0.002, 0.001
"""Standard deviations of Dice between cars, and between photos of a car."""
SEED = 1


def main() -> None:
    """Print the share of intervals that hold the true mean."""
    rng = np.random.default_rng(SEED)
    widened = uncertainty._tail
    for cars in CARS:
        held = np.zeros(3)
        for number in range(SETS):
            dice = TRUE_DICE + CAR_SPREAD * rng.normal(size=(cars, 1))
            dice = (dice + PHOTO_SPREAD * rng.normal(size=(cars, VIEWS))).ravel()
            car_of_photo = np.repeat(np.arange(cars), VIEWS)
            for kind, (groups, tail) in enumerate(
                (
                    (car_of_photo, widened),
                    (car_of_photo, lambda _: (1 - uncertainty.CONFIDENCE) / 2),
                    (np.arange(dice.size), lambda _: (1 - uncertainty.CONFIDENCE) / 2),
                )
            ):
                uncertainty._tail = tail
                interval = mean_interval(dice, groups, number, RESAMPLES)
                assert interval is not None
                held[kind] += interval.low <= TRUE_DICE <= interval.high
        ours, plain, photos = held / SETS
        print(
            f"{cars:2d} cars: ours {ours:.1%}, plain percentiles {plain:.1%}, "
            f"photos instead of cars {photos:.1%}"
        )
    uncertainty._tail = widened


if __name__ == "__main__":
    main()
