import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from car_segmentation.evaluation import bootstrap as uncertainty
from car_segmentation.evaluation.bootstrap import (
    Interval,
    mean_interval,
    median_interval,
    paired_difference,
)

CARS, VIEWS = 12, 16


def scores_of_cars(rng: np.random.Generator, cars: int = CARS) -> tuple[np.ndarray, np.ndarray]:
    """Scores that differ by car far more than by view, as real ones do; true mean 0.99."""
    of_car = rng.normal(0.99, 0.003, cars)
    values = of_car[:, np.newaxis] + rng.normal(0, 0.001, (cars, VIEWS))
    return values.ravel(), np.repeat(np.arange(cars), VIEWS)


def test_one_car_gives_no_interval() -> None:
    assert mean_interval([0.1, 0.9], ["a", "a"], seed=0) is None
    assert median_interval([0.1, 0.9], ["a", "a"], seed=0) is None
    assert paired_difference([0.1, 0.9], [0.2, 0.8], ["a", "a"], seed=0).interval is None


def test_equal_cars_leave_nothing_to_doubt() -> None:
    assert mean_interval([0.2, 0.4] * 3, ["a", "a", "b", "b", "c", "c"], seed=0) == Interval(
        pytest.approx(0.3), pytest.approx(0.3)
    )


# 2 degrees of freedom: t = 4.3027 at 2.5 %, times √(3/2) is 5.2697 standard deviations; 11 degrees:
# 2.2010, times √(12/11).
@pytest.mark.parametrize(("cars", "deviations"), [(3, 5.2697), (CARS, 2.2989)])
@pytest.mark.parametrize(
    ("interval_of", "statistic"), [(mean_interval, np.mean), (median_interval, np.median)]
)
def test_all_photos_of_a_drawn_car_come_along(
    cars: int, deviations: float, interval_of, statistic
) -> None:
    """Against a plain loop that draws cars and takes the statistic of all their photos."""
    values, car_of_photo = scores_of_cars(np.random.default_rng(1), cars)
    values, car_of_photo = values[:-5], car_of_photo[:-5]  # Not as many photos of each.
    rng = np.random.default_rng(0)
    results = []
    for _ in range(4000):
        drawn = rng.integers(cars, size=cars)
        results.append(statistic(np.concatenate([values[car_of_photo == car] for car in drawn])))
    tail = stats.norm.cdf(-deviations)  # Few cars widen the interval as Student's t does.
    low, high = np.quantile(results, [tail, 1 - tail])
    interval = interval_of(values, car_of_photo, seed=0, resamples=4000)
    noise = 0.05 * (high - low)
    assert interval == Interval(pytest.approx(low, abs=noise), pytest.approx(high, abs=noise))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    rounds, photo_rounds = 250, 50
    hits = photo_hits = 0
    for seed in range(rounds):
        values, cars = scores_of_cars(rng)
        hits += covers(mean_interval(values, cars, seed, resamples=500))
        if seed < photo_rounds:  # What drawing photos instead of cars would do.
            photos = np.arange(len(values))
            photo_hits += covers(mean_interval(values, photos, seed, resamples=500))
    assert 0.92 <= hits / rounds <= 0.98
    assert photo_hits / photo_rounds < 0.7


def covers(interval: Interval | None) -> bool:
    return interval is not None and interval.low <= 0.99 <= interval.high


@given(
    arrays(np.float64, st.integers(1, 7), elements=st.floats(0, 1)),
    arrays(np.float64, st.integers(1, 7), elements=st.floats(0, 1)),
)
def test_the_median_is_numpys_median_of_the_photos_drawn(a: np.ndarray, b: np.ndarray) -> None:
    """With two cars nothing is left out: the interval spans the three medians that there are."""
    values, cars = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    medians = [np.median(drawn) for drawn in (a, b, values)]
    interval = median_interval(values, cars, seed=0, resamples=50)
    assert interval == Interval(pytest.approx(min(medians)), pytest.approx(max(medians)))


@given(
    arrays(np.float64, 12, elements=st.floats(0, 1)),
    arrays(np.int8, 12, elements=st.integers(0, 4)),
)
def test_intervals_stay_among_the_values(values: np.ndarray, cars: np.ndarray) -> None:
    for interval in (
        mean_interval(values, cars, seed=0, resamples=50),
        median_interval(values, cars, seed=0, resamples=50),
    ):
        assert (interval is None) == (len(set(cars.tolist())) == 1)
        if interval is not None:
            assert values.min() - 1e-12 <= interval.low <= interval.high <= values.max() + 1e-12


def test_bounds_of_equal_values_are_in_order() -> None:
    cars = np.array([3, 1, 4, 2, *[0] * 8], np.int8)
    interval = mean_interval(np.full(12, 0.33035933), cars, seed=0, resamples=50)
    assert interval is not None
    assert interval.low <= interval.high


def test_same_seed_same_interval_and_order_does_not_matter() -> None:
    values, cars = scores_of_cars(np.random.default_rng(2))
    shuffled = np.random.default_rng(3).permutation(len(values))
    first = mean_interval(values, cars, seed=7)
    assert first == mean_interval(values, cars, seed=7)
    assert first != mean_interval(values, cars, seed=8)
    assert first is not None
    second = mean_interval(values[shuffled], cars[shuffled], seed=7)
    assert second == Interval(pytest.approx(first.low), pytest.approx(first.high))


def test_memory_is_bounded_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values, cars = scores_of_cars(np.random.default_rng(2))
    whole = median_interval(values, cars, seed=7)
    monkeypatch.setattr(uncertainty, "CELLS_AT_ONCE", 3 * len(values))
    assert median_interval(values, cars, seed=7) == whole


def test_a_small_but_steady_gain_is_certain_when_paired() -> None:
    before, cars = scores_of_cars(np.random.default_rng(4))
    after = before + 0.0005
    after[:3] = before[:3] - 0.0001
    difference = paired_difference(before, after, cars, seed=0)
    photos = CARS * VIEWS
    assert difference.mean == pytest.approx((0.0005 * (photos - 3) - 0.0001 * 3) / photos)
    assert (difference.photos, difference.cars) == (photos, CARS)
    assert (difference.better, difference.worse) == (photos - 3, 3)
    assert difference.interval is not None and difference.interval.low > 0
    alone = mean_interval(before, cars, seed=0), mean_interval(after, cars, seed=0)
    assert alone[0] is not None and alone[1] is not None
    assert alone[1].low < alone[0].high


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        paired_difference([1, 2], [1, 2, 3], ["a", "b"], seed=0)
    with pytest.raises(ValueError, match="cannot pair"):
        paired_difference([], [], [], seed=0)
