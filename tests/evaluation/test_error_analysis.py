from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import Mask, encode_mask
from car_segmentation.evaluation.error_analysis import (
    CALIBRATED,
    CLASS_COLUMNS,
    analyse_photos,
    error_class_table,
)
from car_segmentation.evaluation.photo_scores import score_photos
from tests.support.photos import disc_mask, photo_of, write_pair


@pytest.fixture
def photos(raw: Path) -> tuple[ImageStack, pd.DataFrame]:
    """Three photos: predicted two pixels too small, one too large, and rightly."""
    rows, probabilities = [], []
    for number, radius in enumerate((13, 16, 15)):
        photo_id = f"{number:012x}_01"
        truth = disc_mask(radius=15)
        photo_path, mask_path = write_pair(raw, photo_id, truth, photo_of(truth, seed=number))
        rows.append((photo_id, photo_id[:12], "01", str(photo_path), str(mask_path)))
        probabilities.append(disc_mask(radius=radius).astype(np.float16))
    table = pd.DataFrame(rows, columns=["photo_id", "car", "view", "photo_path", "mask_path"])
    return ImageStack(tuple(table["photo_id"]), np.stack(probabilities)), table


def test_one_pass_agrees_with_scoring_alone(photos: tuple[ImageStack, pd.DataFrame]) -> None:
    analysis = analyse_photos(*photos, threshold=0.5, description="all")
    pd.testing.assert_frame_equal(analysis.photo_scores, score_photos(*photos, threshold=0.5))
    wrong = analysis.photo_scores[["false_positives", "false_negatives"]].sum()
    for name in wrong.index:
        assert analysis.error_distances[name].sum() == wrong[name]
    kinds = analysis.error_regions.groupby("kind")["area"].sum()
    assert kinds["false positive"] == wrong["false_positives"]
    assert kinds["false negative"] == wrong["false_negatives"]
    assert analysis.error_regions["area"].is_monotonic_decreasing
    assert analysis.error_distances["to_px"].iloc[-1] == np.inf
    assert analysis.mask_evidence["photo_id"].tolist() == list(photos[0].ids)
    assert analysis.car_colours["red"].gt(0).all()  # The discs are dark red.


def test_costs_of_all_classes_add_up_to_what_is_missing(
    photos: tuple[ImageStack, pd.DataFrame],
) -> None:
    analysis = analyse_photos(*photos, threshold=0.5, description="all")
    classes = error_class_table(analysis.error_regions, photos=3)
    missing = 1 - analysis.photo_scores["dice"].mean()
    assert classes["dice_cost"].sum() == pytest.approx(missing)
    assert classes["regions"].sum() == len(analysis.error_regions)


def test_certain_and_right_is_calibrated(photos: tuple[ImageStack, pd.DataFrame]) -> None:
    stack, table = photos
    right = analyse_photos(stack, table[2:], threshold=0.5, description="the right one")
    assert right.calibration_errors == dict.fromkeys(CALIBRATED, 0.0)
    assert right.error_regions.empty
    wrong = analyse_photos(stack, table[:1], threshold=0.5, description="a wrong one")
    everywhere, near = (wrong.calibration_errors[where] for where in CALIBRATED)
    score = wrong.photo_scores.iloc[0]
    assert everywhere == pytest.approx(score["false_negatives"] / (48 * 64))
    assert near > everywhere


def test_ignored_pixels_are_not_calibrated(raw: Path) -> None:
    """By hand: of a 6×6 photo the left half is car, and the last two columns are void."""
    truth, ignored = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    truth[:, :3], ignored[:, 4:] = True, True
    photo_path, mask_path = write_pair(raw, "a_01", truth, photo_of(truth, seed=0))
    own = mask_path.with_suffix(".png")
    own.write_bytes(encode_mask(Mask(truth, ignored)))
    table = pd.DataFrame(
        [("a_01", "a", "01", str(photo_path), str(own))],
        columns=["photo_id", "car", "view", "photo_path", "mask_path"],
    )
    probability = np.tile([0.75, 0.75, 0.75, 0.25, 0.75, 0.0], (6, 1)).astype(np.float16)
    stack = ImageStack(("a_01",), probability[np.newaxis])
    analysis = analyse_photos(stack, table, threshold=0.5, description="all")
    for where in CALIBRATED:
        rows = analysis.calibration[analysis.calibration["where"] == where]
        assert rows["pixels"].tolist() == [6, 18]  # 24 known pixels, of 36.
        assert rows["probability"].tolist() == [0.25, 0.75]
        assert rows["car_fraction"].tolist() == [0, 1]
        assert analysis.calibration_errors[where] == 0.25


def test_without_errors_there_are_no_classes() -> None:
    nothing = pd.DataFrame(columns=["error_class", "kind", "area", "dice_cost"])
    table = error_class_table(nothing, photos=5)
    assert table.empty and table.columns.tolist() == CLASS_COLUMNS


def test_the_costliest_class_comes_first() -> None:
    regions = pd.DataFrame(
        [("shadow", "false positive", 4, 0.5), ("jitter", "false positive", 9, 0.3),
         ("jitter", "false negative", 1, 0.3), ("jitter", "false positive", 9, 0.1)],
        columns=["error_class", "kind", "area", "dice_cost"],
    )  # fmt: skip
    table = error_class_table(regions, photos=2)
    assert table["class"].tolist() == ["jitter", "jitter", "shadow"]
    assert table["kind"].tolist()[:2] == ["false positive", "false negative"]
    assert table["regions"].tolist() == [2, 1, 1]
    assert table["pixels"].tolist() == [18, 1, 4]
    assert table["dice_cost"].tolist() == pytest.approx([0.2, 0.15, 0.25])


def test_calibration_near_the_edge_counts_a_band_on_both_sides(raw: Path) -> None:
    truth = np.zeros((48, 64), bool)
    truth[:, 32:] = True  # Its edge: column 32, and the frame from there on.
    photo_path, mask_path = write_pair(raw, "a", truth)
    row = ("a", "a", "01", str(photo_path), str(mask_path))
    table = pd.DataFrame([row], columns=["photo_id", "car", "view", "photo_path", "mask_path"])
    stack = ImageStack(("a",), truth[np.newaxis].astype(np.float16))
    bins = analyse_photos(stack, table, threshold=0.5, description="one").calibration
    near = bins[bins["where"] == CALIBRATED[1]]
    # Outside, the 8 columns before the edge; inside, all but what is 9 px or more from every edge.
    assert near["pixels"].tolist() == [48 * 8, 48 * 32 - (48 - 18) * (32 - 18)]
