"""The review graph on an in-memory catalog: four masks of new photos, one of them broken."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.datasets.json_files import JSONFileDataset
from car_segmentation.datasets.tables import TableDataset
from car_segmentation.evaluation.scores import dice
from car_segmentation.pipelines.review import create_pipeline
from car_segmentation.pipelines.review.nodes import (
    fit_expected_dice,
    measure_new_photos,
    measure_validation_photos,
)
from car_segmentation.prediction.photo_files import MASKS, PROBABILITY_MAPS, PhotoFiles
from car_segmentation.prediction.photo_record import expected_dice
from tests.support.photos import SIZE, disc_mask, photo_of

THRESHOLD = 0.5


def probability_of(mask: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)


def validation() -> dict[str, object]:
    """Six photos of two cars: the more they are blurred, the smaller is the true disc."""
    radii = [15.0 - 0.4 * number for number in range(6)]
    maps = [probability_of(disc_mask(), 0.6 + 0.5 * number) for number in range(6)]
    ids = tuple("abcdef")
    scores = [
        dice(map_ >= THRESHOLD, disc_mask(radius=radius))
        for map_, radius in zip(maps, radii, strict=True)
    ]
    splits = pd.DataFrame(
        {"photo_id": ids, "car": list("xxxyyy"), "view": "", "split": "validation"}
    )
    return {
        "probabilities": ImageStack(ids, np.stack(maps).astype(np.float16)),
        "photo_splits": splits.assign(height=SIZE[0], width=SIZE[1]),
        "threshold": {"threshold": THRESHOLD},
        "other_scores": pd.DataFrame({"photo_id": ids, "dice": scores}),
    }


def write_predictions(folder: Path, *outputs: str) -> pd.DataFrame:
    """A sharp mask, a blurred one, an empty one, and a photo that could not be read."""
    rows = []
    for name, mask, blur in (
        ("sharp.jpg", disc_mask(), 0.6),
        ("day 1/blurred.jpg", disc_mask(), 4.0),
        ("empty.jpg", np.zeros(SIZE, bool), 1.0),
    ):
        probability = probability_of(mask, blur)
        predicted = probability >= THRESHOLD
        files = PhotoFiles(folder, outputs)
        photo = folder / "photos" / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo_of(mask)).save(photo)
        for output in outputs:
            (folder / output / name).parent.mkdir(parents=True, exist_ok=True)
        files.write(Path(name), name, probability, predicted, THRESHOLD)
        rows.append((name, *SIZE, expected_dice(probability, predicted), ""))
    rows.append(("cut short.jpg", np.nan, np.nan, np.nan, "is truncated"))
    columns = ["photo", "height", "width", "confidence", "warnings"]
    return pd.DataFrame(rows, columns=columns)


class RedIsCar:
    """Sees the discs, and takes the first two columns for car, too, on a mirrored photo as well."""

    input_shape = (None, *SIZE, 3)

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        car = photos[..., 1:2] < 115
        car[:, :, :2] = True
        return car.astype(np.float32)


def run(folder: Path, predictions: pd.DataFrame, mirrored: bool = False) -> dict:
    data = validation() | {
        "predictions": predictions,
        "predictions_folder": folder,
        "model": RedIsCar(),
        "params:prediction": {},
        "params:review": {"mirrored": mirrored},
        "params:photos": str(folder / "photos"),
        "params:pairing": {"name_pattern": None, "max_cars": None},
    }
    memory = {name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()}
    model = JSONFileDataset(str(folder / "model.json"), holds="review_model")
    catalog = DataCatalog(
        {
            **memory,
            "review_model": model,
            "review_queue": TableDataset(str(folder / "queue.csv"), text=["photo", "reason"]),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in ("review_queue", "review_model")}


def test_photos_are_ranked_with_a_reason(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path, MASKS, PROBABILITY_MAPS)
    result = run(tmp_path, predictions)
    queue = result["review_queue"].set_index("photo")
    assert queue.index.tolist() == ["cut short.jpg", "empty.jpg", "day 1/blurred.jpg", "sharp.jpg"]
    assert queue["order"].tolist() == [1, 2, 3, 4]
    assert queue["reason"].tolist()[:2] == ["is truncated", "no object was found"]
    assert queue["reason"]["sharp.jpg"] == "nothing stands out"
    blurred = queue.loc["day 1/blurred.jpg"]
    assert "is in doubt over" in blurred["reason"] or "expects Dice" in blurred["reason"]
    assert 0 <= blurred["lower"] <= blurred["expected_dice"] <= blurred["upper"] <= 1
    assert blurred["expected_dice"] < queue["expected_dice"]["sharp.jpg"]
    assert result["review_model"]["photos"] == 6


def test_without_probability_maps_the_tables_confidence_counts(tmp_path: Path) -> None:
    result = run(tmp_path, write_predictions(tmp_path, MASKS))
    assert "edge_doubt" not in result["review_model"]["signals"]
    queue = result["review_queue"]
    assert queue["photo"].tolist()[-2:] == ["day 1/blurred.jpg", "sharp.jpg"]


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path, MASKS)
    (tmp_path / "masks/sharp.png").unlink()
    with pytest.raises(UserError, match=r"sharp\.png is missing: run the inference again"):
        run(tmp_path, predictions)


def test_a_damaged_probability_map_is_named(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path, MASKS, PROBABILITY_MAPS)
    (tmp_path / "probability_maps/sharp.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"sharp\.png is not a probability map"):
        run(tmp_path, predictions)


def test_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no predictions"):
        run(tmp_path, write_predictions(tmp_path, MASKS).head(0))


def test_no_validation_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unscored = validation()
    unscored["other_scores"] = pd.DataFrame({"photo_id": pd.Series(dtype=str), "dice": []})
    monkeypatch.setattr(f"{__name__}.validation", lambda: unscored)
    with pytest.raises(UserError, match="no scored validation photos"):
        run(tmp_path, write_predictions(tmp_path, MASKS))


def test_mirrored_photos_are_a_signal(tmp_path: Path) -> None:
    """Of a mask that has the disc alone, the mirrored one differs by the two columns."""
    for name in "abcdef":
        Image.fromarray(photo_of(disc_mask())).save(tmp_path / f"{name}.png")
    predictions = write_predictions(tmp_path, MASKS)
    signals = measure_new_photos(
        predictions,
        tmp_path,
        RedIsCar(),
        {"threshold": THRESHOLD},
        {},
        {"name_pattern": None, "max_cars": None},
        {"mirrored": True},
        str(tmp_path / "photos"),
    )
    disc, columns = disc_mask().sum(), 2 * SIZE[0]
    expected = 1 - 2 * disc / (2 * disc + columns)
    errors = signals.set_index("photo")["mirror_error"]
    assert errors["sharp.jpg"] == pytest.approx(expected, abs=0.01)
    assert errors["empty.jpg"] == 1
    assert np.isnan(errors["cut short.jpg"])

    (tmp_path / "photos/sharp.jpg").unlink()
    with pytest.raises(UserError, match=r"sharp\.jpg is missing: name the photos"):
        run(tmp_path, predictions, mirrored=True)


def test_validation_photos_have_that_signal_too(tmp_path: Path) -> None:
    data = validation()
    splits = data["photo_splits"]
    assert isinstance(splits, pd.DataFrame)
    for name in splits["photo_id"]:
        Image.fromarray(photo_of(disc_mask())).save(tmp_path / f"{name}.png")
    data["photo_splits"] = splits.assign(
        photo_path=[str(tmp_path / f"{name}.png") for name in splits["photo_id"]]
    )
    signals = measure_validation_photos(
        **data, model=RedIsCar(), prediction={}, review={"mirrored": True}
    )
    assert signals["mirror_error"].between(0.03, 0.3).all()
    fitted = fit_expected_dice(signals, signals)
    assert fitted["signals"]["mirror_error"]["weight"] > 0
