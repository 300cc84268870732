"""The graphs of modelling and reporting: what each needs, and what their small nodes do.

Whole runs are in ``tests/test_project.py``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.pipeline_registry import register_pipelines
from car_segmentation.pipelines.modelling.nodes import choose_threshold, describe_model
from car_segmentation.pipelines.reporting import nodes
from car_segmentation.stacks import ImageStack
from tests.conftest import disc_mask, photo_of, write_pair
from tests.test_prediction import Brightness

PERSISTED = {
    "photos",
    "soft_masks",
    "photo_splits",
    "augmentation",
    "model",
    "history",
    "threshold",
    "new_photo_files",
}


def test_the_default_pipeline_is_the_three_in_a_row() -> None:
    pipelines = register_pipelines()
    parts = [pipelines[name] for name in ("data_processing", "modelling", "reporting")]
    assert set(pipelines["__default__"].nodes) == {n for part in parts for n in part.nodes}
    assert set(pipelines) == {
        *("__default__", "demo_photos", "data_processing", "modelling", "reporting"),
        "inference",
    }


@pytest.mark.parametrize("name", ["modelling", "reporting", "inference"])
def test_what_a_later_pipeline_needs_is_persisted(name: str) -> None:
    inputs = {i for i in register_pipelines()[name].inputs() if not i.startswith("params:")}
    assert inputs <= PERSISTED


def test_every_node_says_in_one_sentence_what_it_does() -> None:
    pipelines = register_pipelines()
    for node in (*pipelines["__default__"].nodes, *pipelines["inference"].nodes):
        first_line = (node.func.__doc__ or "").splitlines()[0]
        assert first_line.endswith("."), node.name


@pytest.fixture
def result(raw: Path) -> dict:
    """One test photo, predicted two pixels too small, and one validation photo."""
    truth, predicted = disc_mask(radius=15), disc_mask(radius=13)
    rows = []
    for photo_id, split in (("a", "test"), ("b", "validation")):
        photo_path, mask_path = write_pair(raw, photo_id, truth)
        rows.append((photo_id, photo_id, "", str(photo_path), str(mask_path), split))
    columns = ["photo_id", "car", "view", "photo_path", "mask_path", "split"]
    return {
        "photo_splits": pd.DataFrame(rows, columns=columns),
        "probabilities": ImageStack(("a",), predicted[np.newaxis].astype(np.float16)),
        "threshold": {"threshold": 0.5, "validation_dice": 0.9},
        "reporting": {"worst_photos": 3, "prediction_batch_size": 2},
    }


def scores_of(result: dict) -> pd.DataFrame:
    return nodes.score_test_photos(
        result["probabilities"], result["photo_splits"], result["threshold"]
    )


def test_only_test_photos_are_scored(result: dict) -> None:
    scores = scores_of(result)
    assert scores["photo_id"].tolist() == ["a"]
    assert scores["false_positives"][0] == 0
    assert scores["edge_error_px"][0] == pytest.approx(2, rel=0.2)


def test_error_maps_are_named_by_rank_and_drawn_when_asked(result: dict) -> None:
    maps = nodes.draw_error_maps(scores_of(result), **result)
    assert list(maps) == ["01_a"]
    picture = maps["01_a"]()
    missed = (picture[:48] == (31, 90, 220)).all(axis=2)
    assert missed.sum() == scores_of(result)["false_negatives"][0]


def test_the_gallery_has_a_row_for_each_of_the_worst(result: dict) -> None:
    gallery = nodes.draw_gallery(scores_of(result), **result)
    assert gallery.shape[1] > 4 * nodes.GALLERY_CELL_WIDTH


def test_final_numbers_have_their_stable_names() -> None:
    summary = {"dice_mean": 0.9, "dice_median": 0.9, "dice_worst": 0.8, "edge_error_px": 2.0}
    metrics = nodes.track_scores(summary, {"threshold": 0.4, "validation_dice": 0.95})
    assert metrics["test.dice_mean"] == {"value": 0.9, "step": 0}
    assert {"test.dice_median", "test.dice_worst", "test.edge_error_px"} <= set(metrics)
    assert metrics["validation.dice_mean"]["value"] == 0.95


def test_the_threshold_is_the_best_on_validation(result: dict) -> None:
    truth = disc_mask(radius=15)
    brightness = np.where(truth, 120, 60).astype(np.uint8)  # 0.47 on the car, 0.24 beside it.
    photos = ImageStack(("b",), np.repeat(brightness[np.newaxis, ..., np.newaxis], 3, axis=3))
    chosen, _ = choose_threshold(Brightness(), photos, result["photo_splits"], result["reporting"])
    assert 60 / 255 < chosen["threshold"] <= 120 / 255
    assert chosen["validation_dice"] == 1


def test_the_model_is_tracked_with_one_real_photo() -> None:
    photos = ImageStack(("a", "b"), np.stack([photo_of(disc_mask(), seed) for seed in (1, 2)]))
    _, example = describe_model(Brightness(), photos)
    assert np.array_equal(example, photos.pixels[:1])
