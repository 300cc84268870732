"""Models from before environments had folders of their own."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from car_segmentation.datasets.keras_model import KerasModelDataset


def test_the_model_of_all_environments_is_named_where_one_has_none(tmp_path: Path) -> None:
    former = tmp_path / "data/06_models/model.keras"
    dataset = KerasModelDataset(str(tmp_path / "data/demo/06_models/model.keras"))
    with pytest.raises(DatasetError) as nowhere:
        dataset.load()
    former.parent.mkdir(parents=True)
    former.touch()
    with pytest.raises(DatasetError) as found:
        dataset.load()
    assert str(former) not in str(nowhere.value)
    assert f"--params=model={former} uses it for inference" in str(found.value)
