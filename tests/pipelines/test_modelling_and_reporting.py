"""The graphs of modelling and reporting: what each needs, and what their small nodes do.

Whole runs are in ``tests/project``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.pipeline_registry import register_pipelines
from car_segmentation.pipelines.modelling.nodes import choose_threshold, describe_model
from car_segmentation.pipelines.reporting import nodes
from tests.support.models import Toy
from tests.support.photos import disc_mask, photo_of, write_pair
from tests.support.projects import REPOSITORY

PERSISTED = {
    "photos",
    "soft_masks",
    "photo_splits",
    "data_sheet",
    "model",
    "history",
    "threshold",
    "threshold_dice",
    "new_photo_files",
    "chosen_model",
    "chosen_threshold",
    "finished_networks",
    "provenance",
    "checkpoints",
    "predictions_folder",
    "probabilities_folder",
    "search_folder",
    "start_model",
    "probabilities",
    "other_scores",
    "predictions",
}


def test_the_default_pipeline_is_the_three_in_a_row() -> None:
    pipelines = register_pipelines()
    parts = [pipelines[name] for name in ("data_processing", "modelling", "reporting")]
    assert set(pipelines["__default__"].nodes) == {n for part in parts for n in part.nodes}
    assert set(pipelines) == {
        *("__default__", "demo_photos", "data_processing", "modelling", "reporting"),
        *("inference", "network_comparison", "promotion", "run_comparison", "export"),
        *("search", "review", "corrections_export", "corrections_import"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "modelling",
        "reporting",
        "inference",
        "network_comparison",
        "run_comparison",
        "search",
        "review",
    ],
)
def test_what_a_later_pipeline_needs_is_persisted(name: str) -> None:
    inputs = {i for i in register_pipelines()[name].inputs() if not i.startswith("params:")}
    assert inputs <= PERSISTED


def test_every_node_says_in_one_sentence_what_it_does() -> None:
    nodes = {node for pipeline in register_pipelines().values() for node in pipeline.nodes}
    assert len(nodes) > 30
    for node in nodes:
        first_line = (node.func.__doc__ or "").splitlines()[0]
        assert first_line.endswith("."), node.name


def test_layers_follow_each_other() -> None:
    """Kedro-Viz draws no layers at all where they go round in a circle."""
    catalog = yaml.safe_load((REPOSITORY / "conf/base/catalog.yml").read_text())
    layer = {
        name: entry["metadata"]["kedro-viz"]["layer"]
        for name, entry in catalog.items()
        if not name.startswith("_")
    }
    compared = 0
    for node in register_pipelines()["__default__"].nodes:
        before = {layer[name] for name in node.inputs if name in layer}
        after = {layer[name] for name in node.outputs if name in layer}
        if before and after:
            compared += 1
            assert max(before) <= min(after), node.name
    assert compared > 15


@pytest.fixture
def result(raw: Path) -> dict:
    """One test photo, predicted two pixels too small, and one validation photo."""
    truth, predicted = disc_mask(radius=15), disc_mask(radius=13)
    rows = []
    for photo_id, split in (("a", "test"), ("b", "validation")):
        photo_path, mask_path = write_pair(raw, photo_id, truth)
        rows.append((photo_id, photo_id, "", str(photo_path), str(mask_path), 48, 64, split))
    columns = ["photo_id", "car", "view", "photo_path", "mask_path", "height", "width", "split"]
    return {
        "photo_splits": pd.DataFrame(rows, columns=columns),
        "probabilities": ImageStack(("a",), predicted[np.newaxis].astype(np.float16)),
        "threshold": {"threshold": 0.5, "validation_dice": 0.9},
        "reporting": {
            "worst_photos": 3,
            "random_photos": 1,
            "label_errors": 2,
            "include_train": False,
        },
    }


PREDICTIONS = ("probabilities", "photo_splits", "threshold")


def analysed(result: dict) -> tuple:
    return nodes.analyse_test_photos(*(result[name] for name in PREDICTIONS))


def test_only_test_photos_are_scored(result: dict) -> None:
    scores, distances, regions, calibration, errors, evidence, colours = analysed(result)
    assert scores["photo_id"].tolist() == evidence["photo_id"].tolist() == ["a"]
    assert colours["photo_id"].tolist() == ["a"]
    assert scores["false_positives"][0] == 0
    assert scores["edge_error_px"][0] == pytest.approx(2, rel=0.2)
    assert distances["false_negatives"].sum() == scores["false_negatives"][0]
    assert regions["area"].sum() == scores["false_negatives"][0]
    assert set(errors) == set(calibration["where"])


def test_other_photos_are_scored_with_their_split(result: dict) -> None:
    truth = disc_mask(radius=15)
    result["probabilities"] = ImageStack(("a", "b"), np.stack([truth, truth]).astype(np.float16))
    scores, evidence = nodes.analyse_other_photos(*(result[name] for name in PREDICTIONS))
    assert scores[["photo_id", "split", "dice"]].to_numpy().tolist() == [["b", "validation", 1.0]]
    assert evidence["photo_id"].tolist() == ["b"]


@pytest.mark.parametrize(("include_train", "expected"), [(False, "ab"), (True, "abc")])
def test_train_photos_are_predicted_when_asked(
    result: dict, tmp_path: Path, include_train: bool, expected: str
) -> None:
    splits = result["photo_splits"]
    splits.loc[2] = splits.loc[0].to_dict() | {"photo_id": "c", "split": "train"}
    photos = ImageStack(tuple("abc"), np.zeros((3, 48, 64, 3), np.uint8))
    settings = result["reporting"] | {"include_train": include_train}
    folder = tmp_path / "probabilities"
    stack = nodes.predict_photos(Toy(48, 64), photos, splits, settings, {"batch_size": 2}, folder)
    assert stack.folder == folder
    assert stack.ids == tuple(expected)


def test_error_maps_are_named_by_rank_and_drawn_when_asked(result: dict) -> None:
    scores = analysed(result)[0]
    maps = nodes.draw_error_maps(scores, **result)
    assert list(maps) == ["01_a"]
    picture = maps["01_a"]()
    missed = (picture[:48] == (31, 90, 220)).all(axis=2)
    assert missed.sum() == scores["false_negatives"][0]


def test_plates_and_sheets_are_drawn(result: dict) -> None:
    scores = analysed(result)[0]
    plates = nodes.draw_error_panels(scores, **result)
    assert list(plates) == ["01_a"] and plates["01_a"]().dtype == np.uint8
    worst, random = nodes.draw_sheets(scores, **result, seed=1)
    assert np.array_equal(worst, random)  # There is one photo only.
    assert worst.shape[1] >= nodes.SHEET_CELL_WIDTH


def test_the_table_of_scores_has_test_beside_validation(result: dict) -> None:
    scores = analysed(result)[0]
    table = nodes.tabulate_scores(scores, scores.assign(split="validation"), seed=1)
    assert table["split"].unique().tolist() == ["test", "validation"]
    dice = table[table["score"] == "dice"]
    assert dice["mean"].tolist() == pytest.approx([scores["dice"][0]] * 2)


def test_final_numbers_have_their_stable_names() -> None:
    summary = {"dice_mean": 0.9, "dice_median": 0.9, "dice_worst": 0.8, "edge_error_px": 2.0}
    threshold = {"threshold": 0.4, "validation_dice": 0.95}
    metrics = nodes.track_scores(summary, threshold, {"dice_mean": 0.99, "edge_error_px": 0.1})
    assert metrics["test.dice_mean"] == {"value": 0.9, "step": 0}
    assert {"test.dice_median", "test.dice_worst", "test.edge_error_px"} <= set(metrics)
    assert metrics["validation.dice_mean"]["value"] == 0.95
    assert metrics["upper_bound.dice_mean"]["value"] == 0.99


def test_the_threshold_is_the_best_on_validation(result: dict) -> None:
    truth = disc_mask(radius=15)
    brightness = np.where(truth, 120, 60).astype(np.uint8)  # 0.47 on the car, 0.24 beside it.
    photos = ImageStack(("b",), np.repeat(brightness[np.newaxis, ..., np.newaxis], 3, axis=3))
    chosen, dice, _ = choose_threshold(
        Toy(48, 64), photos, result["photo_splits"], {"batch_size": 2}
    )
    assert 60 / 255 < chosen["threshold"] <= 120 / 255
    assert chosen["validation_dice"] == max(dice) == 1


def test_the_model_is_tracked_with_one_real_photo() -> None:
    photos = ImageStack(("a", "b"), np.stack([photo_of(disc_mask(), seed) for seed in (1, 2)]))
    checks = {"max_megapixels": 100, "max_grey_share": 0.05, "max_rejected_share": 0.1}
    registry = {"name": "cars", "register_models": True, "candidate": None}
    served = describe_model(Toy(), {"threshold": 0.4}, photos, checks, registry)
    assert np.array_equal(served.example, photos.pixels[0])
    assert (served.threshold, served.registered_name) == (0.4, "cars")
    silent = registry | {"register_models": False}
    assert describe_model(Toy(), {"threshold": 0.4}, photos, checks, silent).registered_name is None
