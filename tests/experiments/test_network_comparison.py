from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.experiments.comparison_table import TABLE_COLUMNS, comparison_table, verdict
from car_segmentation.experiments.network_comparison import (
    Candidate,
    ComparisonSetup,
    digest,
    peak_memory,
    train_and_score,
)
from car_segmentation.parameters import ImageSize, Network
from car_segmentation.training.time_budget import epochs_for_budget
from tests.support.photos import disc_mask, photo_of, write_pair
from tests.support.trainings import TRAINING

NETWORK = Network(
    architecture="segnet_unet", filters=[8, 16], centre_filters=16, batch_norm_momentum=0.5
)


@pytest.fixture
def setup(raw) -> ComparisonSetup:
    """Two photos train, one validates and one tests: discs of several sizes."""
    ids, splits = ("a", "b", "c", "d"), ("train", "train", "validation", "test")
    masks = np.stack([disc_mask(32, 32, radius) for radius in (8, 12, 10, 9)])
    photos = np.stack([photo_of(mask) for mask in masks])
    rows = []
    for photo_id, split, mask in zip(ids, splits, masks, strict=True):
        _, mask_path = write_pair(raw, photo_id, mask)
        rows.append((photo_id, photo_id, "01", 32, 32, str(mask_path), split))
    columns = ["photo_id", "car", "view", "height", "width", "mask_path", "split"]
    return ComparisonSetup(
        photos=ImageStack(ids, photos),
        soft_masks=ImageStack(ids, masks.astype(np.uint8) * 255),
        photo_splits=pd.DataFrame(rows, columns=columns),
        image=ImageSize(height=32, width=32),
        augmentation=Augmentation(),
        minutes=None,
        timed_steps=1,
        seed=1,
    )


def test_a_candidate_is_trained_and_scored_on_the_test_photos(setup: ComparisonSetup) -> None:
    wide = Network(**NETWORK.model_dump() | {"filters": [16, 32]})
    epochs = []
    model, result, scores = train_and_score(
        Candidate("net", NETWORK, TRAINING, wide), setup, lambda epoch, _: epochs.append(epoch)
    )
    assert scores["photo_id"].tolist() == ["d"]
    assert result.dice_mean == scores["dice"][0] > 0.9
    assert result.parameters == model.count_params() < result.full_width_parameters
    assert (result.epochs, result.times_each_photo_was_seen) == (30, 30)
    assert epochs == list(range(30))
    assert 0 < result.training_seconds_per_photo < 60 * result.training_minutes
    assert result.full_width_training_seconds_per_photo > 0
    assert 0.01 < result.peak_memory_gb < 100
    assert set(TABLE_COLUMNS) <= asdict(result).keys()


@given(st.floats(0.01, 1e3), st.floats(1e-3, 1e3), st.integers(1, 10_000), st.integers(1, 100))
def test_the_budget_is_spent_and_not_passed(
    minutes: float, seconds: float, photos: int, epochs: int
) -> None:
    so_many, each = epochs_for_budget(minutes, seconds, photos, epochs)
    assert 1 <= each <= photos
    if minutes * 60 >= seconds:
        assert so_many * each * seconds <= minutes * 60 * (1 + 1e-9)
        assert (so_many * each + so_many + 1) * seconds >= minutes * 60


def test_without_minutes_the_epochs_are_those_of_the_training() -> None:
    assert epochs_for_budget(None, 0.5, photos=50, epochs=9) == (9, 50)


def test_a_fingerprint_tells_what_would_change_the_result(setup: ComparisonSetup) -> None:
    candidate = Candidate("net", NETWORK, TRAINING)
    prints = {
        digest(candidate, setup),
        digest(Candidate("net", NETWORK, TRAINING.model_copy(update={"epochs": 3})), setup),
        digest(
            Candidate("net", Network(**NETWORK.model_dump() | {"space_to_depth": 2}), TRAINING),
            setup,
        ),
        digest(candidate, replace(setup, minutes=5)),
        digest(
            candidate, ComparisonSetup(**vars(setup) | {"photo_splits": setup.photo_splits[1:]})
        ),
    }
    assert len(prints) == 5
    assert digest(Candidate("renamed", NETWORK, TRAINING), setup) in prints


def test_the_table_has_the_best_first_and_the_verdict_names_it() -> None:
    results = [
        {"name": "small", "dice_mean": 0.97, "edge_error_px": 9.0, "parameters": 10,
         "training_seconds_per_photo": 0.1},
        {"name": "large", "dice_mean": 0.98, "edge_error_px": 6.04, "parameters": 99,
         "training_seconds_per_photo": 0.4},
    ]  # fmt: skip
    table = comparison_table(results)
    assert table["name"].tolist() == ["large", "small"]
    assert table["parameters"].tolist() == [99, 10]
    assert verdict(table) == (
        "large is best: Dice 0.9800 (edge error 6.0 px), 0.0100 before small, which costs "
        "0.25 times as much to train."
    )
    assert verdict(table[:1]) == "large is best: Dice 0.9800 (edge error 6.0 px)."
    table.loc[1, "dice_mean"] = 0.97997
    assert "level with small, which costs" in verdict(table)


def test_peak_memory_counts_what_is_touched() -> None:
    before = peak_memory()
    touched = np.ones(int(before) // 8 + 25_000_000)  # More than there ever was, and 200 MB.
    assert peak_memory() > before + 1e8
    assert touched[0] == 1
