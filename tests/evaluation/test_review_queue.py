import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.evaluation import review_queue
from car_segmentation.evaluation.review_queue import (
    ReviewModel,
    SignalWeight,
    budget_curve,
    fit_review_model,
    rank_photos,
    usable_signals,
)

MODEL = ReviewModel(
    signals={
        "expected_error": SignalWeight(centre=math.log(0.01), spread=1.0, weight=1.0),
        "loose_fraction": SignalWeight(centre=math.log(1e-4), spread=1.0, weight=0.5),
    },
    base=math.log(0.02),
    interval=(-math.log(2), math.log(3)),
    photos=10,
)
"""Twice the error that the model expects; between half and three times of that."""


def photo(name: str, expected: float = 0.99, loose: float = 0.0, pieces: float = 1) -> dict:
    return {
        "photo": name,
        "expected_error": 1 - expected,
        "loose_fraction": loose,
        "pieces": pieces,
        "warnings": "",
    }


def validation(error_of: dict[str, float], count: int = 400) -> pd.DataFrame:
    """Photos whose error is a product of powers of their signals."""
    random = np.random.default_rng(1)
    signals = {name: np.exp(random.normal(-4, 1, count)) for name in error_of}
    log_error = sum(
        power * np.log(signals[name] + review_queue.OFFSETS[name])
        for name, power in error_of.items()
    )
    dice = 1 - np.exp(log_error) + review_queue.ERROR_OFFSET
    return pd.DataFrame(signals).assign(car=np.arange(count) // 16, dice=dice)


def test_powers_are_found() -> None:
    photos = validation({"expected_error": 0.8, "edge_doubt": 0.5})
    model = fit_review_model(photos, ["expected_error", "edge_doubt"])
    error = np.exp(model.log_error(photos)) - review_queue.ERROR_OFFSET
    # The prior, worth 30 photos of 430, draws the weights a little.
    assert np.corrcoef(np.log(error), np.log(1 - photos["dice"]))[0, 1] > 0.999
    assert np.log(error / (1 - photos["dice"])).abs().median() < 0.05
    assert -0.2 < model.interval[0] < 0 < model.interval[1] < 0.2
    assert model.photos == 400


def test_signal_that_says_the_opposite_gets_the_least_weight() -> None:
    photos = validation({"expected_error": 0.8, "edge_doubt": -0.5})
    weights = fit_review_model(photos, ["expected_error", "edge_doubt"]).signals
    assert weights["edge_doubt"].weight == review_queue.LEAST_WEIGHT
    assert weights["expected_error"].weight > 0.1


def test_signal_that_validation_lacks_keeps_its_prior_weight() -> None:
    photos = validation({"expected_error": 0.8}).assign(view_outlier=np.nan)
    signals = fit_review_model(photos, ["expected_error", "view_outlier"]).signals
    assert signals["view_outlier"].weight == pytest.approx(review_queue.PRIOR_WEIGHT)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_few_photos_and_one_car_are_enough(count: int) -> None:
    photos = validation({"expected_error": 0.8}, count).assign(car="a")
    model = fit_review_model(photos, ["expected_error"])
    assert np.isfinite([model.base, *model.interval]).all()
    assert len(model.budget) == 100 and model.budget[-1] == 1


def test_a_model_is_kept_as_json() -> None:
    model = fit_review_model(validation({"expected_error": 0.8}), ["expected_error"])
    assert ReviewModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model


def test_dice_interval_order_and_reason_by_hand() -> None:
    photos = pd.DataFrame(
        [photo("good", expected=1 - 0.0099), photo("loose", 1 - 0.0099, loose=0.0399)]
    )
    queue = rank_photos(photos, MODEL)
    assert queue["photo"].tolist() == ["loose", "good"]
    assert queue["order"].tolist() == [1, 2]
    loose, good = queue.itertuples()
    known = pytest.approx
    # 0.0399 + 0.0001 is 400 times the usual, and the square root of that the factor of the error.
    assert good.expected_dice == known(0.98, abs=2e-5)
    assert (good.lower, good.upper) == (known(0.94, abs=2e-5), known(0.99, abs=2e-5))
    assert loose.expected_dice == known(0.6, abs=2e-5)
    assert (loose.lower, loose.upper) == (0, known(0.8, abs=2e-5))
    assert loose.reason == "3.99% of the mask is apart from the rest"
    assert good.reason == "nothing stands out"


def test_warnings_of_the_inference_are_reasons() -> None:
    warned = photo("a", expected=0.9) | {"warnings": "the mask touches the photo's border"}
    (reason,) = rank_photos(pd.DataFrame([warned]), MODEL)["reason"]
    assert reason == (
        "the model itself expects Dice 0.9000; 0.9901 is usual; the mask touches the photo's border"
    )


def test_no_mask_comes_first_and_an_empty_one_next() -> None:
    photos = pd.DataFrame(
        [
            photo("bad", expected=0.1),
            photo("empty", expected=0, pieces=0),
            photo("broken", pieces=np.nan) | {"warnings": "is truncated"},
        ]
    )
    queue = rank_photos(photos, MODEL)
    assert queue["photo"].tolist() == ["broken", "empty", "bad"]
    assert queue["reason"].tolist()[:2] == ["is truncated", "no object was found"]
    assert math.isnan(queue["expected_dice"][0])
    assert queue["expected_dice"][1] == 0


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 2), min_size=2, max_size=2))
def test_a_photo_that_looks_worse_in_every_way_never_comes_later(signals: list) -> None:
    worse, better = np.max(signals, axis=0), np.min(signals, axis=0)
    photos = pd.DataFrame(
        [photo("b", 1 - better[0], better[1]), photo("a", 1 - worse[0], worse[1])]
    )
    queue = rank_photos(photos, MODEL)
    assert queue["photo"].tolist() == ["a", "b"]


def test_budget_by_hand() -> None:
    dice = pd.Series([0.5, 0.9, 0.6, 0.99, 0.98])
    suspicion = pd.Series([5.0, 4.0, 3.0, 2.0, 1.0])
    curve = budget_curve(suspicion, dice, worst=0.4)  # The first and the third.
    assert (curve[0], curve[19], curve[39], curve[59], curve[99]) == (0, 0.5, 0.5, 1, 1)


def test_signals_that_photos_lack_are_not_used() -> None:
    photos = pd.DataFrame({"expected_error": [0.1], "view_outlier": [np.nan], "car": ["a"]})
    assert usable_signals(photos) == ["expected_error"]
