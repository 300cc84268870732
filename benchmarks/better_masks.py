"""What better masks cost, and what they bring, on real photos that the model never saw.

    python benchmarks/better_masks.py [--photos 32] [--ensemble MODEL.keras …]

Takes the project's own model, threshold and split (data/cpu/05_model_input, data/cpu/06_models) and
a sample of the test photos, evenly drawn. Prints a table: Dice at native size, its difference from
the model alone with the 95 % interval of the mean over photos, and the seconds of processor time
that predicting a photo takes.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_segmentation.data.images import read_mask, read_photo, resize_by_area
from car_segmentation.data.splits import rows_of_split
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.prediction.predictors import Predictor, Tiles, better_predictor
from car_segmentation.prediction.probability_maps import to_native_size
from data_processing import PROJECT


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=32)
    parser.add_argument("--ensemble", nargs="*", default=[])
    arguments = parser.parse_args()

    model = KerasModelDataset(str(PROJECT / "data/cpu/06_models/model.keras")).load()
    threshold = json.loads((PROJECT / "data/cpu/06_models/threshold.json").read_text())["threshold"]
    splits = pd.read_csv(PROJECT / "data/cpu/05_model_input/photo_splits.csv", dtype=str)
    test = rows_of_split(splits, "test").sort_values("photo_id", ignore_index=True)
    sample = test.iloc[np.linspace(0, len(test) - 1, min(arguments.photos, len(test))).round()]

    predictors: dict[str, Predictor] = {
        "the model alone": model,
        "`flip: true`": better_predictor(model, flip=True),
        "`scales: [1.0, 0.9]`": better_predictor(model, scales=(1.0, 0.9)),
        "`scales: [1.0, 0.9, 1.1]`": better_predictor(model, scales=(1.0, 0.9, 1.1)),
        "both": better_predictor(model, flip=True, scales=(1.0, 0.9, 1.1)),
        "`tiles: {overlap: 0.25}`": Tiles(model, 0.25, 1),
    }
    if arguments.ensemble:
        others = [KerasModelDataset(path).load() for path in arguments.ensemble]
        predictors[f"`ensemble` of {len(others) + 1}"] = better_predictor(model, others)
    rows = [
        {"setting": name, "dice": dice, "seconds": seconds}
        for _, photo in tqdm(sample.iterrows(), total=len(sample), unit="photo")
        for name, dice, seconds in _predict(photo, predictors, threshold)
    ]
    _print_table(pd.DataFrame(rows), list(predictors))


def _predict(
    row: pd.Series, predictors: dict[str, Predictor], threshold: float
) -> list[tuple[str, float, float]]:
    photo, truth = read_photo(Path(row["photo_path"])), read_mask(Path(row["mask_path"]))
    results = []
    for name, predictor in predictors.items():
        height, width = predictor.input_shape[1:3]
        seen = photo if height is None else resize_by_area(photo, height, width)
        start = time.process_time()
        probability = np.asarray(predictor.predict_on_batch(seen[np.newaxis]))[0, ..., 0]
        seconds = time.process_time() - start
        enlarged = to_native_size(probability.astype(np.float16), *truth.shape)
        results.append((name, score_mask(enlarged >= threshold, truth).dice, seconds))
    return results


def _print_table(results: pd.DataFrame, names: list[str]) -> None:
    dice = results.groupby("setting")["dice"].apply(lambda values: values.to_numpy())
    # The first photo also pays for compiling.
    seconds = results.groupby("setting")["seconds"].median()
    print(
        "| setting | Dice | difference | worst | processor seconds a photo |\n|---|---|---|---|---|"
    )
    for name in names:
        difference = dice[name] - dice[names[0]]
        error = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
        print(
            f"| {name} | {dice[name].mean():.4f} | {difference.mean():+.5f} ± {error:.5f} "
            f"| {dice[name].min():.4f} | {seconds[name]:.2f} |"
        )


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
