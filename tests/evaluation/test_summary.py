import numpy as np
import pandas as pd
import pytest

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.evaluation.summary import summarise, summary_table


def scores_of(dice: list[float], cars: list[str]) -> pd.DataFrame:
    """Scores of which most follow from Dice."""
    scores = pd.DataFrame(dict.fromkeys(SCORES, dice))
    error = 1 - np.array(dice)
    less_is_better = [name for name, score in SCORES.items() if score.less_is_better]
    scores = scores.assign(**dict.fromkeys(less_is_better, 10 * error))
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
    assert list(table.index) == list(SCORES)
    assert (table["mean_low"] < table["mean"]).all() and (table["mean"] < table["mean_high"]).all()
    assert (table["median_low"] <= table["median"]).all()
    assert (table["median"] <= table["median_high"]).all()
    assert table.loc["dice", "worst"] == scores["dice"].min()
    assert table.loc["hausdorff95_px", "worst"] == scores["hausdorff95_px"].max()
