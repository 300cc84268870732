from pathlib import Path

import numpy as np
import pytest

from car_segmentation.datasets.prediction_folder import PredictionFolderDataset
from car_segmentation.prediction.photo_record import (
    PhotoRecord,
    expected_dice,
    mask_warnings,
    write_table,
)
from tests.support.photos import SIZE, disc_mask


def test_the_dice_that_a_model_expects() -> None:
    sure = disc_mask()
    assert expected_dice(sure.astype(np.float32), sure) == pytest.approx(1)
    assert expected_dice(np.zeros(SIZE, np.float32), np.zeros(SIZE, bool)) == 0
    # One pixel of 0.8 is taken for car, one of 0.4 not: 2·0.8 / (1 + 1.2).
    probability = np.array([[0.8, 0.4]], np.float32)
    assert expected_dice(probability, probability > 0.5) == pytest.approx(1.6 / 2.2)


def test_what_to_look_at() -> None:
    disc = disc_mask()
    assert mask_warnings(disc, SIZE, (24, 32)) == ""
    assert "border" in mask_warnings(disc_mask(radius=24), SIZE, (24, 32))
    assert "smaller than the network's input (640×480)" in mask_warnings(disc, SIZE, (480, 640))
    assert "distorted" in mask_warnings(disc.T, SIZE[::-1], (24, 32))
    nothing = mask_warnings(np.zeros(SIZE, bool), SIZE, (96, 64))
    assert nothing.startswith("no object was found; the network sees")


def test_names_like_formulas_are_harmless_and_read_as_they_are(tmp_path: Path) -> None:
    names = ["=1+1.jpg", "-a.jpg", "NA", "two\nlines.jpg"]
    records = [PhotoRecord(names[0], 48, 64, 0.25, 0.1, 0.9), *map(PhotoRecord, names[1:])]
    write_table(tmp_path / "predictions.csv", records)
    text = (tmp_path / "predictions.csv").read_text()
    assert "\n'=1+1.jpg,48,64," in text and "\n'-a.jpg," in text
    table = PredictionFolderDataset(str(tmp_path)).load()
    assert table["photo"].tolist() == names
    assert table["height"].isna().tolist() == [False, True, True, True]
