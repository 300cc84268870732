from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.prediction.probability_maps import (
    predict_photos,
    predicted_mask,
    write_probability_maps,
)
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.prediction.tiling import Tiles
from tests.support.models import Toy

IDS = tuple("abcde")
PHOTOS = ImageStack(IDS, np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3)).astype(np.uint8))


def table_of(ids: str) -> pd.DataFrame:
    return pd.DataFrame({"photo_id": list(ids), "photo_path": "not read"})


def test_photos_are_predicted_in_batches_and_in_the_order_asked_for() -> None:
    model = Toy(6, 8)
    maps = list(predict_photos(Segmenter(model, batch_size=2), PHOTOS, table_of("dae")))
    assert model.batches == [(2, 6, 8, 3)] * 2  # The second is filled up.
    for probability, row in zip(maps, (3, 0, 4), strict=True):
        assert probability == pytest.approx(PHOTOS.pixels[row, ..., 1] / 255, abs=5e-4)


def test_maps_are_kept_with_three_digits(tmp_path: Path) -> None:
    segmenter = Segmenter(Toy(6, 8), batch_size=4)
    stack = write_probability_maps(tmp_path / "maps", segmenter, PHOTOS, table_of("cb"))
    assert stack.ids == ("c", "b")
    assert isinstance(stack.pixels, np.memmap) and stack.pixels.dtype == np.float16
    assert np.abs(stack.image(1) - PHOTOS.pixels[1, ..., 1] / 255).max() < 5e-4


def test_tiles_predict_files_at_native_size_and_maps_keep_it(tmp_path: Path) -> None:
    sizes = {"a": (20, 30), "b": (32, 24)}
    table = pd.DataFrame(
        [(name, str(tmp_path / f"{name}.png"), *size) for name, size in sizes.items()],
        columns=["photo_id", "photo_path", "height", "width"],
    )
    rng = np.random.default_rng(1)
    natives = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes.values()]
    for path, photo in zip(table["photo_path"], natives, strict=True):
        Image.fromarray(photo).save(path)
    segmenter = Segmenter(Tiles(Toy(8, 8), overlap=0.25, batch_size=3))
    stack = write_probability_maps(tmp_path / "maps", segmenter, PHOTOS, table)
    assert stack.pixels.shape == (2, 32, 30)
    for row, photo in enumerate(natives):
        assert stack.image(row) == pytest.approx(photo[..., 1] / 255, abs=1e-3)
        mask = predicted_mask(stack.image(row), photo.shape[:2], 0.5)
        assert (mask != (photo[..., 1] > 127)).mean() < 0.01
