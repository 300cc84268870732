"""Every table of the catalog is read back as it was written, whatever is in its cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from car_segmentation.core.tables import read_table
from car_segmentation.data.overview import SUMMARY_COLUMNS
from car_segmentation.data.pairing import PAIR_COLUMNS, REJECTED_COLUMNS
from car_segmentation.datasets.tables import TableDataset
from car_segmentation.evaluation.car_colour import colour_of_cars
from car_segmentation.pipelines.data_processing.annotation_nodes import DRAWN_COLUMNS

TYPE = "car_segmentation.datasets.tables.TableDataset"
CATALOG = Path(__file__).parents[2] / "conf/base/catalog.yml"

TEXT = ["NA", "007", "=1+1.jpg", "two\nlines", ""]
NUMBERS = [0.5, np.nan, -1.0, 12345.0, np.inf]
FRACTIONS = [0.5, np.nan, 0.0, 1.0, 0.25]
NOTHING = [np.nan] * 5
SPLITS = ["train", "test", "validation", "test", "train"]
FLAGS = [True, False, True, True, False]

PHOTOS = {
    **dict.fromkeys(PAIR_COLUMNS, TEXT),
    **{"height": NUMBERS, "foreground_share": NOTHING},
    **dict.fromkeys(["year", "make", "model"], TEXT),
}
IDENTITY = dict.fromkeys(["photo_id", "car", "view"], TEXT)
SCORES = {**IDENTITY, "dice": FRACTIONS, "edge_error_px": NOTHING, "false_positives": NUMBERS}
EVIDENCE = {"photo_id": TEXT, "shifted": NUMBERS, "speck_count": NOTHING}

TABLES: dict[str, dict[str, list[Any]]] = {
    "photo_pairs": dict.fromkeys(PAIR_COLUMNS, TEXT),
    "drawn_masks": dict.fromkeys(DRAWN_COLUMNS, TEXT),
    "unpaired_files": dict.fromkeys(REJECTED_COLUMNS, TEXT),
    "data_summary": dict.fromkeys(SUMMARY_COLUMNS[:-1], TEXT) | {"photos": NUMBERS},
    "rejected_photos": dict.fromkeys(REJECTED_COLUMNS, TEXT),
    "photo_table": PHOTOS,
    "photo_splits": {**PHOTOS, "split": SPLITS},
    "export_check": {"runtime": TEXT, "seconds": NUMBERS, "mask_pixels_differing": NOTHING},
    "photo_scores": SCORES,
    "other_scores": {**SCORES, "split": TEXT},
    "score_table": {"score": TEXT, "mean": NUMBERS, "mean_low": NOTHING, "split": TEXT},
    "slices": {
        **dict.fromkeys(["slice", "value"], TEXT),
        **{"cars": NUMBERS, "dice_low": NOTHING, "enough": FLAGS},
    },
    "error_distances": {"from_px": NUMBERS, "false_positives": NOTHING},
    "error_regions": {"photo_id": TEXT, "error_class": TEXT, "kind": TEXT, "contrast": NOTHING},
    "error_classes": {"class": TEXT, "kind": TEXT, "pixels": NUMBERS, "dice_cost": NOTHING},
    "calibration": {"low": NUMBERS, "car_fraction": NOTHING, "where": TEXT},
    "mask_evidence": EVIDENCE,
    "other_mask_evidence": EVIDENCE,
    "car_colours": {"photo_id": TEXT, "car": TEXT, "lightness": NUMBERS, "red": NOTHING},
    "label_errors": {
        **IDENTITY,
        **{
            "suspicion": TEXT,
            "score": NUMBERS,
            "reason": TEXT,
            "missing_part": NOTHING,
            "split": TEXT,
        },
    },
    "predicted_masks": {"img": TEXT, "rle_mask": TEXT},
    "network_table": {"name": TEXT, "dice_mean": NUMBERS, "peak_memory_gb": NOTHING},
    "search_trials": {
        **{"trial": NUMBERS, "state": TEXT, "validation_dice": NOTHING},
        **{"training.loss": TEXT, "network.width": TEXT, "retry_of": NOTHING, "reason": TEXT},
    },
    "review_queue": {"photo": TEXT, "order": NUMBERS, "lower": NOTHING, "reason": TEXT},
    "correction_outcome": {"photo": TEXT, "outcome": TEXT},
    "run_comparison": {**IDENTITY, "dice_before": NUMBERS, "change": NOTHING},
}
"""Columns of each table of the catalog, with cells of each kind."""


def entries() -> dict[str, dict[str, Any]]:
    """The tables of the catalog."""
    text = CATALOG.read_text(encoding="utf-8")
    found = {}
    for name, entry in yaml.safe_load(text).items():
        inner = entry.get("dataset", entry) if isinstance(entry, dict) else {}
        assert not str(inner.get("type")).startswith("pandas."), f"{name}: types would be guessed"
        if inner.get("type") == TYPE:
            found[name] = {key: value for key, value in inner.items() if key != "type"}
    return found


def dataset(name: str, folder: Path) -> TableDataset:
    options = entries()[name]
    filepath = folder / Path(options.pop("filepath")).name
    options.pop("paths", None)  # Tried in test_table_paths.py: these texts are none.
    return TableDataset(str(filepath), **options)


def test_every_table_of_the_catalog_is_tried() -> None:
    assert set(TABLES) == set(entries())


@pytest.mark.parametrize("rows", [5, 0])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_as_it_was_written(name: str, rows: int, tmp_path: Path) -> None:
    table = pd.DataFrame(TABLES[name]).head(rows)
    stored = dataset(name, tmp_path)
    stored.save(table)
    back = stored.load()
    assert list(back) == list(table)
    for column, cells in TABLES[name].items():
        if cells in (TEXT, SPLITS):
            assert back[column].tolist() == cells[:rows], column
        elif cells is FLAGS:
            assert back[column].dtype == bool and back[column].tolist() == cells[:rows], column
        else:
            np.testing.assert_array_equal(back[column].to_numpy(float), cells[:rows], column)
            back[column].median()


def test_a_car_without_a_measured_colour_is_unknown(tmp_path: Path) -> None:
    """All of a column's numbers may be missing: spectacles have no middle to measure."""
    stored = dataset("car_colours", tmp_path)
    names = ["lightness", "coloured_fraction", "red", "yellow"]
    table = pd.DataFrame({"photo_id": ["a"], "car": ["a"]})
    stored.save(table.assign(**dict.fromkeys(names)))
    assert colour_of_cars(stored.load()).to_dict() == {"a": "unknown"}


def test_a_preview_has_the_first_rows(tmp_path: Path) -> None:
    stored = dataset("photo_scores", tmp_path)
    stored.save(pd.DataFrame(SCORES))
    assert stored.preview(nrows=2)["data"][0][:3] == ["NA", "NA", "NA"]
    assert len(stored.preview(nrows=2)["data"]) == 2


def test_the_record_of_masks_is_kaggles_own_format(tmp_path: Path) -> None:
    stored = dataset("predicted_masks", tmp_path)
    stored.save(pd.DataFrame({"img": ["=1.jpg"], "rle_mask": ["1 3"]}))
    (file,) = tmp_path.iterdir()
    plain = read_table(file, others="text", sep="|")  # As one column, without what escapes.
    assert plain.to_csv(index=False) == '"img,rle_mask"\n"=1.jpg,1 3"\n'
    first = file.read_bytes()
    stored.save(stored.load())
    assert file.read_bytes() == first  # No time is written into it.
