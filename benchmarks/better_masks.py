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

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.data.splits import rows_of_split
from car_segmentation.datasets.keras_model import KerasModelDataset
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.parameters import PredictionOptions, TileOptions
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.segmenter import Segmenter
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

    settings = {
        "the model alone": PredictionOptions(),
        "`flip: true`": PredictionOptions(flip=True),
        "`scales: [1.0, 0.9]`": PredictionOptions(scales=(1.0, 0.9)),
        "`scales: [1.0, 0.9, 1.1]`": PredictionOptions(scales=(1.0, 0.9, 1.1)),
        "both": PredictionOptions(flip=True, scales=(1.0, 0.9, 1.1)),
        "`tiles: {overlap: 0.25}`": PredictionOptions(tiles=TileOptions(overlap=0.25)),
    }
    if arguments.ensemble:
        together = PredictionOptions(ensemble=tuple(arguments.ensemble))
        settings[f"`ensemble` of {len(arguments.ensemble) + 1}"] = together
    segmenters = {
        name: Segmenter.from_options(model, options.model_copy(update={"batch_size": 1}), threshold)
        for name, options in settings.items()
    }
    rows = [
        {"setting": name, "dice": dice, "seconds": seconds}
        for _, photo in tqdm(sample.iterrows(), total=len(sample), unit="photo")
        for name, dice, seconds in _predict(photo, segmenters)
    ]
    _print_table(pd.DataFrame(rows), list(segmenters))


def _predict(row: pd.Series, segmenters: dict[str, Segmenter]) -> list[tuple[str, float, float]]:
    photo, truth = read_photo(PROJECT / row["photo_path"]), read_mask(PROJECT / row["mask_path"])
    results = []
    for name, segmenter in segmenters.items():
        resized = segmenter.resize(photo)
        start = time.process_time()
        (probability,) = segmenter.predict_batch([resized])
        seconds = time.process_time() - start
        mask = predicted_mask(probability, truth.shape, segmenter.threshold)
        results.append((name, score_mask(mask, truth).dice, seconds))
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
