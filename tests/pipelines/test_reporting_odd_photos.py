"""Photos with odd names, and things too thin to have a middle, reach the end of the report."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.datasets.pictures import PictureDataset, PictureFolderDataset
from car_segmentation.datasets.tables import TableDataset
from car_segmentation.pipelines.reporting import nodes
from tests.support.pages import Page
from tests.support.photos import disc_mask, write_pair

HEIGHT, WIDTH = 96, 128
ODD = "=1+1\n<b>bold<b>\x1b[31m \u202egpj"
SETTINGS = {"worst_photos": 3, "random_photos": 3, "label_errors": 3, "include_train": False}
THRESHOLD = {"threshold": 0.5, "validation_dice": 0.9}


def thin_ring() -> np.ndarray:
    ring = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(ring, (64, 48), (40, 30), 0, 0, 360, 1, 2)
    return ring > 0


def report_of(raw: Path, folder: Path, truth: np.ndarray) -> tuple[str, dict[str, pd.DataFrame]]:
    """The page, and the tables as they are read back."""
    rows = []
    for photo_id, split in ((ODD, "test"), ("NA", "test"), ("b", "validation")):
        photo, mask = write_pair(raw, photo_id, truth)
        rows.append((photo_id, photo_id, "1", str(photo), str(mask), HEIGHT, WIDTH, 0.1, "", split))
    columns = ["photo_id", "car", "view", "photo_path", "mask_path", "height", "width"]
    splits = pd.DataFrame(rows, columns=[*columns, "foreground_share", "make", "split"])
    predicted = truth.astype(np.float16)
    predicted[40:44, 60:90] = 1 - predicted[40:44, 60:90]
    probabilities = ImageStack(tuple(splits["photo_id"]), np.stack([predicted] * 3))
    shown: dict[str, Any] = {"probabilities": probabilities, "photo_splits": splits}
    shown |= {"threshold": THRESHOLD, "reporting": SETTINGS}

    def kept(name: str, table: Any, **types: Any) -> pd.DataFrame:
        dataset = TableDataset(str(folder / f"{name}.csv"), **types)
        dataset.save(table)
        return dataset.load()

    text = ["photo_id", "car", "view", "split", "error_class", "kind", "suspicion", "reason"]
    scores, distances, regions, calibration, errors, evidence, colours = nodes.analyse_test_photos(
        probabilities, splits, THRESHOLD
    )
    other_scores, other_evidence = nodes.analyse_other_photos(probabilities, splits, THRESHOLD)
    tables = {
        name: kept(name, table, text=text)
        for name, table in {
            "scores": scores,
            "other_scores": other_scores,
            "regions": regions,
            "evidence": evidence,
            "other_evidence": other_evidence,
            "colours": colours,
        }.items()
    }
    scores = tables["scores"]
    found = nodes.find_label_errors(tables["evidence"], tables["other_evidence"], splits, scores)
    tables["found"] = kept("found", found, text=text)
    panels = PictureFolderDataset(str(folder / "panels"))
    panels.save(nodes.draw_error_panels(scores, **shown))
    worst, random = nodes.draw_sheets(scores, **shown, seed=1)
    doubted = PictureDataset(str(folder / "doubted.png"))
    doubted.save(nodes.draw_label_errors(tables["found"], **shown))
    slices = nodes.slice_scores(scores, splits, tables["colours"], seed=1)
    tables["slices"] = kept("slices", slices, text=["slice", "value"], flags=["enough"])
    page = nodes.write_report(
        photo_scores=scores,
        photo_splits=splits,
        score_table=nodes.tabulate_scores(scores, tables["other_scores"], seed=1),
        upper_bound={"dice_mean": 1.0, "edge_error_px": 0.0},
        error_distances=distances,
        error_classes=nodes.tabulate_error_classes(tables["regions"], scores),
        slices=tables["slices"],
        error_panels=panels.load(),
        worst_sheet=worst,
        random_sheet=random,
        threshold=THRESHOLD,
        threshold_dice=np.linspace(0.5, 0.9, 256).tolist(),
        calibration=calibration,
        calibration_errors=errors,
        label_errors=tables["found"],
        label_error_sheet=doubted.load(),
        data_sheet=None,
        history={"loss": [1.0], "dice": [0.5], "val_loss": [1.0], "val_dice": [0.5]},
        network={"architecture": "unet"},
        image={"height": HEIGHT, "width": WIDTH},
        subject={"one": "shoe", "many": "shoes"},
        provenance={"environment": "tiny"},
    )
    return page, tables


@pytest.mark.parametrize("thin", [False, True])
def test_the_report_ends_and_shows_every_name(raw: Path, tmp_path: Path, thin: bool) -> None:
    truth = thin_ring() if thin else disc_mask(HEIGHT, WIDTH, 30)
    html, tables = report_of(raw, tmp_path / "tables", truth)
    assert set(tables["scores"]["photo_id"]) == {ODD, "NA"}
    assert "<b>bold" not in html.replace("\\u003cb\\u003e", "")
    cells = Page(html).text("td")
    assert any(r"=1+1\n<b>bold<b>\x1b[31m \u202egpj" in cell for cell in cells)
    assert "NA" in cells
    for file in (tmp_path / "tables").glob("*.csv"):
        assert "\n=" not in file.read_text() and ",=" not in file.read_text()
    if thin:
        assert tables["colours"][["lightness", "red"]].isna().all(axis=None)
        assert "colour" not in set(tables["slices"]["slice"])  # Unknown of every car.
