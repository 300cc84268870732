from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.evaluation.per_photo import (
    LESS_IS_BETTER,
    SCORES,
    PhotoResult,
    ceiling,
    mean_dice_at_thresholds,
    measure_photos,
    score_photos,
    summarise,
    summary_table,
)
from tests.support.models import Brightness
from tests.support.photos import disc_mask, write_pair

TRUTH = disc_mask()


@pytest.fixture
def two_photos(raw: Path) -> pd.DataFrame:
    rows = [
        (photo_id, "car", view, *map(str, write_pair(raw, photo_id, TRUTH)))
        for photo_id, view in (("a", "01"), ("b", "02"))
    ]
    return pd.DataFrame(rows, columns=["photo_id", "car", "view", "photo_path", "mask_path"])


def test_scores_are_taken_at_native_size_the_worst_first(two_photos: pd.DataFrame) -> None:
    right = TRUTH[::2, ::2].astype(np.float16)  # Half the native size.
    probabilities = ImageStack(("b", "a"), np.stack([np.zeros_like(right), right]))
    scores = score_photos(probabilities, two_photos, threshold=0.5)
    assert scores["photo_id"].tolist() == ["b", "a"]
    assert scores["dice"][0] == 0
    assert 0.95 < scores["dice"][1] < 1
    assert scores["false_negatives"][0] == TRUTH.sum()


def test_threshold_curve_is_the_mean_over_photos(two_photos: pd.DataFrame) -> None:
    photos = np.zeros((2, *TRUTH.shape, 3), np.uint8)
    photos[0][TRUTH] = 200  # Right from 0 to 200/255; the other photo predicts nothing.
    stack = ImageStack(("a", "b"), photos)
    dice = mean_dice_at_thresholds(Brightness(), stack, two_photos, batch_size=2)
    assert dice[100] == pytest.approx(0.5)
    assert dice[250] == 0


def test_one_pass_hands_on_all_there_is(two_photos: pd.DataFrame) -> None:
    right = TRUTH[::2, ::2].astype(np.float16)
    probabilities = ImageStack(("b", "a"), np.stack([np.zeros_like(right), right]))
    photos = [read_photo(Path(path)) for path in two_photos["photo_path"]]

    def measure(result: PhotoResult) -> tuple[str, int, int, bool]:
        number = 0 if result.row.photo_id == "a" else 1
        same = np.array_equal(result.photo, photos[number])
        assert np.array_equal(result.predicted, result.probability >= 0.75)
        return result.row.photo_id, int(result.truth.sum()), int(result.predicted.sum()), same

    (first, second) = measure_photos(measure, probabilities, two_photos, threshold=0.75)
    assert first[:2] == ("a", TRUTH.sum()) and first[3]
    assert 0.9 * TRUTH.sum() < first[2] < TRUTH.sum()  # A cut above a half takes less.
    assert second == ("b", TRUTH.sum(), 0, True)


def test_the_ceiling_of_the_native_size_is_perfect(two_photos: pd.DataFrame) -> None:
    soft = ImageStack(("a", "b"), np.stack([TRUTH, TRUTH]).astype(np.uint8) * np.uint8(255))
    assert ceiling(soft, two_photos) == {"photos": 2, "dice_mean": 1, "edge_error_px": 0}


def test_the_ceiling_cuts_at_pixels_that_are_covered_by_half(two_photos: pd.DataFrame) -> None:
    soft = np.where(TRUTH, 128, 127).astype(np.uint8)
    assert ceiling(ImageStack(("a", "b"), np.stack([soft, soft])), two_photos)["dice_mean"] == 1


def test_the_ceiling_falls_with_the_size(two_photos: pd.DataFrame) -> None:
    def dice_at(factor: int) -> float:
        height, width = (side // factor for side in TRUTH.shape)
        small = resize_by_area(TRUTH.astype(np.uint8) * np.uint8(255), height, width)
        return ceiling(ImageStack(("a", "b"), np.stack([small, small])), two_photos)["dice_mean"]

    assert 1 > dice_at(2) > dice_at(4) > dice_at(8) > 0.8


def scores_of(dice: list[float], cars: list[str]) -> pd.DataFrame:
    """Scores of which most follow from Dice."""
    scores = pd.DataFrame(dict.fromkeys(SCORES, dice))
    error = 1 - np.array(dice)
    scores = scores.assign(**dict.fromkeys(LESS_IS_BETTER, 10 * error))
    return scores.assign(photo_id=[str(k) for k in range(len(dice))], car=cars, view="01")


def test_the_summary_by_hand() -> None:
    summary = summarise(scores_of([0.8, 0.9, 1.0], ["x", "x", "y"]))
    assert (summary["photos"], summary["cars"]) == (3, 2)
    assert summary["dice_mean"] == pytest.approx(0.9)
    assert summary["dice_median"] == pytest.approx(0.9)
    assert summary["dice_worst"] == pytest.approx(0.8)
    assert summary["edge_error_px"] == pytest.approx(1.0)
    assert summary["iou_mean"] == summary["precision_mean"] == pytest.approx(0.9)
    assert summary["hausdorff95_px_mean"] == pytest.approx(1.0)
    # With two cars, every resample counts: x alone, both, or y alone.
    assert summary["dice_mean_low"] == pytest.approx(0.85)
    assert summary["dice_mean_high"] == pytest.approx(1.0)


def test_one_car_has_no_interval() -> None:
    scores = scores_of([0.8, 0.9], ["x", "x"])
    assert not {"dice_mean_low", "dice_mean_high"} & summarise(scores).keys()
    table = summary_table(scores, seed=0).set_index("score")
    assert table.loc["dice", "mean"] == pytest.approx(0.85)
    assert table.filter(regex="low|high").isna().all(axis=None)


def test_the_table_of_all_scores() -> None:
    rng = np.random.default_rng(0)
    scores = scores_of(rng.uniform(0.9, 1, 40).tolist(), [f"car{k // 4}" for k in range(40)])
    table = summary_table(scores.assign(make="Nissan"), seed=0).set_index("score")
    assert tuple(table.index) == SCORES
    assert (table["mean_low"] < table["mean"]).all() and (table["mean"] < table["mean_high"]).all()
    assert (table["median_low"] <= table["median"]).all()
    assert (table["median"] <= table["median_high"]).all()
    assert table.loc["dice", "worst"] == scores["dice"].min()
    assert table.loc["hausdorff95_px", "worst"] == scores["hausdorff95_px"].max()
