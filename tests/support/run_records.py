"""Runs to compare, and trials of a search, as they are recorded."""

from typing import Any

import pandas as pd

from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.experiments.search import TrialRecord


def record(dice: dict[str, float], run_id: str = "0123456789ab", **fields: Any) -> RunRecord:
    """A run that scored photos CAR_VIEW."""
    scores = pd.DataFrame(
        {
            "photo_id": list(dice),
            "car": [photo.split("_")[0] for photo in dice],
            "view": [photo.split("_")[1] for photo in dice],
            "dice": list(dice.values()),
            "edge_error_px": [100 * (1 - value) for value in dice.values()],
        }
    )
    defaults = {"name": "run", "started": "now", "parameters": {}, "metrics": {}}
    defaults["photo_splits"] = pd.DataFrame()
    return RunRecord(run_id=run_id, photo_scores=scores, **(defaults | fields))


BEFORE = record({"x_01": 0.90, "x_02": 0.95, "y_01": 0.80, "z_01": 0.99}, "aaaaaaaaaaaa")


AFTER = record({"y_01": 0.90, "x_02": 0.95, "x_01": 0.88, "w_01": 0.50}, "bbbbbbbbbbbb")


RECORDS = [
    TrialRecord(0, "complete", 0.9, 0.8, 2, 1.0, {"training.learning_rate": 0.01234}),
    TrialRecord(1, "pruned", None, 0.5, 1, None, {"training.learning_rate": 0.1}),
    TrialRecord(2, "complete", 0.95, 0.8, 2, 1.0, {"training.learning_rate": 0.02}, retry_of=1),
]
