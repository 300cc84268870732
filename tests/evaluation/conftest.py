"""What several tests of scores share."""

from pathlib import Path

import pandas as pd
import pytest

from tests.support.photos import disc_mask, write_pair


@pytest.fixture
def two_photos(raw: Path) -> pd.DataFrame:
    """Two photos of one car, both with the mask of a disc."""
    rows = [
        (photo_id, "car", view, *map(str, write_pair(raw, photo_id, disc_mask())))
        for photo_id, view in (("a", "01"), ("b", "02"))
    ]
    return pd.DataFrame(rows, columns=["photo_id", "car", "view", "photo_path", "mask_path"])
