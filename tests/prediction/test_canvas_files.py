"""Canvases of a folder: one scale for a car's views, and only what changed is made again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.images import read_photo
from car_segmentation.parameters import CanvasOptions
from car_segmentation.prediction.canvas_files import write_canvases
from car_segmentation.prediction.composites import Backdrop, read_backdrop
from tests.support.folder_jobs import folder_job
from tests.support.photos import contents, disc_mask, photo_of

FLOOR = CanvasOptions(width=80, height=60, align="floor")
RADII = {"a_01": 6, "a_02": 12, "b_01": 6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions of two cars."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, radius in RADII.items():
        Image.fromarray(photo_of(disc_mask(radius=radius))).save(photos / f"{name}.png")
    folder = tmp_path / "predictions"
    folder_job(photos, outputs=("masks", "cut_outs")).write(folder)
    return folder


def write(folder: Path, names: Any = RADII, **changes: Any) -> None:
    settings = {"options": FLOOR, "backdrop": None, "shadow": False} | changes
    write_canvases(folder, {f"{name}.png": name[0] for name in names}, **settings)


def rows_of(path: Path) -> np.ndarray:
    return np.flatnonzero((np.asarray(Image.open(path))[..., 3] > 127).any(axis=1))


def test_views_of_a_car_have_one_scale_and_stand_on_one_line(folder: Path) -> None:
    write(folder)
    rows = {name: rows_of(folder / "canvases" / f"{name}.png") for name in RADII}
    assert len(rows["a_01"]) * 2 == pytest.approx(len(rows["a_02"]), abs=4)
    assert len(rows["b_01"]) == pytest.approx(54, abs=2)  # By itself, it fills its canvas.
    lowest = [found[-1] for found in rows.values()]
    assert max(lowest) - min(lowest) <= 1 and 55 < lowest[0] < 59


def test_each_its_own_scale_if_that_is_wished(folder: Path) -> None:
    write(folder, options=FLOOR.model_copy(update={"same_scale": False}))
    for name in RADII:
        assert len(rows_of(folder / "canvases" / f"{name}.png")) == pytest.approx(54, abs=2)


def test_only_what_changed_is_made_again(folder: Path) -> None:
    def times() -> dict[str, int]:
        return {path.stem: path.stat().st_mtime_ns for path in folder.glob("canvases/*.png")}

    write(folder, ["a_01", "b_01"])
    first = times()
    write(folder, ["a_01", "b_01"])
    assert times() == first
    write(folder)  # Another view of a: it is larger, and so the scale smaller.
    second = times()
    assert second["b_01"] == first["b_01"] and second["a_01"] != first["a_01"]
    whole = contents(folder / "canvases")
    (folder / "canvases" / "a_01.png").unlink()
    (folder / "canvases" / ".layouts.json").write_text("broken")
    write(folder)
    assert contents(folder / "canvases") == whole


def test_other_options_or_another_backdrop_make_all_again(folder: Path) -> None:
    red = read_backdrop("#ff0000", ".jpg")
    write(folder)
    write(folder, backdrop=red)
    assert [path.suffix for path in sorted(folder.glob("canvases/a*"))] == [".jpg", ".jpg"]
    corner = np.asarray(Image.open(folder / "canvases" / "a_01.jpg"))[0, 0]
    assert np.abs(corner.astype(int) - (255, 0, 0)).max() < 4
    write(folder, backdrop=Backdrop(red.picture, ".png"), options=CanvasOptions(proportion=2))
    heights, widths = zip(
        *(read_photo(folder / "canvases" / f"a_0{n}.png").shape[:2] for n in (1, 2)), strict=True
    )
    assert heights[0] == heights[1] and widths[0] == widths[1]
    assert widths[0] == pytest.approx(2 * heights[0], abs=2)


def test_cut_outs_with_a_shadow_replace_those_without(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    photo = np.full((120, 180, 3), 200, np.uint8)
    photo[70:80, 50:130] = 150  # In shadow.
    photo[30:70, 50:130] = (120, 10, 10)
    Image.fromarray(photo).save(photos / "a.png")
    folder = tmp_path / "predictions"

    def cut_out(shadow: bool) -> bytes:
        folder_job(photos, outputs=("masks", "cut_outs"), shadow=shadow).write(folder)
        return (folder / "cut_outs" / "a.png").read_bytes()

    without = cut_out(shadow=False)
    with_shadow = cut_out(shadow=True)
    assert with_shadow != without
    assert cut_out(shadow=True) == with_shadow
    assert cut_out(shadow=False) == without
