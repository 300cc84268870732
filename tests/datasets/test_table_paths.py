"""Tables of photos in a project that is copied."""

import json
from pathlib import Path

import pandas as pd
import pytest

from car_segmentation.datasets.tables import TableDataset

PATHS = ["photo_path", "mask_path"]


def table_of(project: Path) -> TableDataset:
    return TableDataset(
        str(project / "photo_splits.csv"), text=PATHS, paths=PATHS, project=str(project)
    )


@pytest.mark.parametrize(
    ("path", "written", "in_the_copy"),
    [
        ("{first}/data/a.jpg", "data/a.jpg", "{second}/data/a.jpg"),
        ("/elsewhere/a.jpg", "/elsewhere/a.jpg", "/elsewhere/a.jpg"),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg", "s3://bucket/a.jpg"),
        ("{first}-2/a.jpg", "{first}-2/a.jpg", "{first}-2/a.jpg"),
        ("", "", ""),
        ('["{first}/a.png", "/b.png"]', '["a.png", "/b.png"]', '["{second}/a.png", "/b.png"]'),
    ],
)
def test_paths_in_the_project_follow_it(tmp_path: Path, path, written, in_the_copy) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    def filled(text: str) -> str:
        return text.replace("{first}", str(first)).replace("{second}", str(second))

    rows = pd.DataFrame({"photo_path": ["x"], "mask_path": [filled(path)], "height": [2]})
    table_of(first).save(rows)
    raw = pd.read_csv(first / "photo_splits.csv", dtype=str, keep_default_na=False)
    assert raw["mask_path"][0] == filled(written)
    assert rows["mask_path"][0] == filled(path)  # What was handed over is as it was.
    assert table_of(first).load()["mask_path"][0] == filled(path)
    first.rename(second)
    assert table_of(second).load()["mask_path"][0] == filled(in_the_copy)


def test_lists_stay_lists(tmp_path: Path) -> None:
    several = json.dumps([str(tmp_path / "a.png"), str(tmp_path / "b.png")])
    table_of(tmp_path).save(pd.DataFrame({"photo_path": ["x"], "mask_path": [several]}))
    assert table_of(tmp_path).load()["mask_path"][0] == several
