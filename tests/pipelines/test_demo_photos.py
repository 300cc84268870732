from pathlib import Path

import numpy as np
import pytest

from car_segmentation.data.demo_cars import car_id, draw_car, render_view
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import read_mask
from car_segmentation.datasets.pictures import PictureFolderDataset
from car_segmentation.pipelines.demo_photos import nodes


def test_each_view_is_rendered_once_as_photo_and_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []

    def render(*arguments) -> tuple[np.ndarray, np.ndarray]:
        rendered.append(arguments)
        return render_view(*arguments)

    monkeypatch.setattr(nodes, "render_view", render)
    settings = {"cars": 2, "height": 64, "width": 96}
    folders = nodes.render_demo_photos(settings, 7, tmp_path / "demo")
    assert len(rendered) == len(set(rendered)) == 32
    photos, masks = (
        PictureFolderDataset(str(tmp_path / "demo" / name), extension)
        for name, extension in (("train", ".jpg"), ("train_masks", ".gif"))
    )
    for dataset, folder in zip((photos, masks), folders, strict=True):
        dataset.save(folder)  # The node has filled it.
        assert len(dataset.load()) == 32
    name = f"{car_id(7, 1)}_05"
    photo, mask = render_view(draw_car(7, 1), 5, 64, 96, 7)
    assert np.array_equal(read_mask(masks.load()[f"{name}_mask"]), mask > 0)
    assert np.abs(read_photo(photos.load()[name]).astype(int) - photo).mean() < 8  # It is a JPEG.


def test_another_folder_than_the_datasets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="should be in"):
        PictureFolderDataset(str(tmp_path / "a")).save(tmp_path / "b")
