import gzip
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.prediction.run_lengths import decode_runs
from car_segmentation.prediction.submission import predicted_masks, sample_photos, write_submission
from tests.support.photos import SIZE, disc_mask


@pytest.fixture
def masks(tmp_path: Path) -> dict[str, Path]:
    """Mask files of discs of radius 5 to 9, by photo."""
    files = {}
    for radius in range(5, 10):
        files[f"{radius}.jpg"] = tmp_path / f"{radius}.png"
        Image.fromarray(disc_mask(radius=radius).astype(np.uint8) * 255).save(
            files[f"{radius}.jpg"]
        )
    return files


def test_rows_are_in_the_order_asked_for(masks: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "submission.csv.gz"
    photos = ["7.jpg", "5.jpg", "9.jpg"]
    write_submission(path, photos, masks)
    table = pd.read_csv(path)
    assert table.columns.tolist() == ["img", "rle_mask"]
    assert table["img"].tolist() == photos
    for row in table.itertuples():
        radius = int(Path(row.img).stem)
        assert np.array_equal(decode_runs(row.rle_mask, *SIZE), disc_mask(radius=radius))


def test_equal_masks_make_equal_files(masks: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_submission(tmp_path / name, list(masks), masks)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_photo_without_a_mask_has_an_empty_row(
    masks: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        write_submission(tmp_path / "a", ["5.jpg", "gone, alas.jpg"], masks)
    lines = gzip.decompress((tmp_path / "a").read_bytes()).decode().splitlines()
    assert lines[2] == '"gone, alas.jpg",'
    assert "1 of 2 photos of the submission have no mask, gone, alas.jpg the first" in caplog.text


def test_a_sample_gives_the_order(tmp_path: Path) -> None:
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("img,rle_mask\nb.jpg,1 1\na.jpg,1 1\n")
    assert sample_photos(sample) == ("b.jpg", "a.jpg")
    sample.write_text("image,rle_mask\nb.jpg,1 1\n")
    with pytest.raises(UserError, match="has no column 'img'"):
        sample_photos(sample)
    with pytest.raises(UserError, match="cannot be read"):
        sample_photos(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UserError, match=r"sample_submission: .*pipe.csv is not a regular file"):
        sample_photos(tmp_path / "pipe.csv")


def test_predicted_masks_are_cut_at_native_size() -> None:
    height, width = SIZE
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float16), (height, 1))
    disc = disc_mask().astype(np.float16)
    stack = ImageStack(("b", "a"), np.stack([ramp, disc]))
    photos = pd.DataFrame(
        {
            "photo_id": ["a", "b"],
            "photo_path": ["train/a.jpg", "train/b.png"],
            "height": [height, 2 * height],
            "width": [width, 2 * width],
        }
    )
    table = predicted_masks(stack, photos, threshold=0.26)
    assert table.columns.tolist() == ["img", "rle_mask"]
    assert table["img"].tolist() == ["a.jpg", "b.png"]
    assert np.array_equal(decode_runs(table["rle_mask"][0], height, width), disc_mask())
    mask = decode_runs(table["rle_mask"][1], 2 * height, 2 * width)
    assert (mask == mask[0]).all()
    # The ramp reaches 0.26 at 0.26·63 = 16.38 small pixels, which is 2·(16.38 + ½) − ½ = 33.26
    # native ones, both counted between the middles of pixels.
    assert mask[0].argmax() == 34 and mask[0, 34:].all()
