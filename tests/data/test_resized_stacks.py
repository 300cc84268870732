from pathlib import Path

import numpy as np
import pytest
import skimage.transform
from PIL import Image

from car_segmentation.data.image_stack import read_stack
from car_segmentation.data.masks import MaskReading, MaskRules
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from tests.support.photos import disc_mask, photo_of, write_pair


def test_photos_are_averaged_over_areas(tmp_path: Path) -> None:
    photo = photo_of(disc_mask(48, 64))
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    stack = write_resized_photos(tmp_path / "stack", ["a"], [str(path)], height=12, width=16)
    expected = skimage.transform.downscale_local_mean(photo, (4, 4, 1))
    assert stack.ids == ("a",)
    assert stack.pixels.dtype == np.uint8
    assert np.abs(stack.pixels[0] - expected).max() <= 0.5 + 1e-6


def test_masks_become_the_share_of_car_in_each_pixel(raw: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:, :5] = True  # Of the first 16 small pixels in a row, one is full and one a quarter.
    _, mask_path = write_pair(raw, "a", mask)
    stack = write_resized_masks(raw / "stack", ["a"], [str(mask_path)], 12, 16)
    row = stack.pixels[0, 6]
    assert row[:3].tolist() == [255, 64, 0]


def test_masks_are_noted_with_size_and_share_or_with_their_problem(raw: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:12] = True
    _, good = write_pair(raw, "a", mask)
    _, broken = write_pair(raw, "b")
    broken.write_bytes(b"")
    paths = [str(good), str(broken)]
    write_resized_masks(raw / "stack", ["a", "b"], paths, 12, 16, MaskRules(max_megapixels=1))
    loaded = read_stack(raw / "stack")
    size_and_share = {"height": 48, "width": 64, "foreground_share": 0.25}
    # The whole upper side, and 11 pixels more of the left and of the right one.
    assert loaded.notes["a"] == size_and_share | {
        "border_share": (64 + 22) / (2 * (48 + 64) - 4),
        "values": "0, 255",
        "object_value": "255",
    }
    assert loaded.notes["b"] == {"problem": "is empty (0 bytes)"}
    assert not loaded.pixels[1].any()


def test_what_the_network_cannot_see_is_noted_with_its_thickness(raw: Path) -> None:
    line = np.zeros((48, 64), bool)
    line[20:22, 5:60] = True  # Two pixels of six.
    _, thin = write_pair(raw, "a", line)
    _, thick = write_pair(raw, "b")
    stack = write_resized_masks(raw / "stack", ["a", "b"], [str(thin), str(thick)], 8, 12)
    assert stack.notes["a"]["thickness"] == pytest.approx(2, abs=0.1)
    assert "thickness" not in stack.notes["b"]


def test_any_size(raw: Path) -> None:
    photo_path, _ = write_pair(raw, "a")
    stack = write_resized_photos(raw / "stack", ["a"], [str(photo_path)], height=37, width=91)
    assert stack.pixels.shape == (1, 37, 91, 3)


def test_order_is_that_of_the_ids(raw: Path) -> None:
    names = [f"{i:02d}" for i in range(20)]
    paths = []
    for i, name in enumerate(names):
        photo = np.full((8, 8, 3), i * 10, np.uint8)
        paths.append(str(write_pair(raw, name, np.ones((8, 8), bool), photo)[0]))
    stack = write_resized_photos(raw / "stack", names, paths, height=4, width=4)
    assert [round(image.mean(), -1) for image in stack.pixels] == [i * 10 for i in range(20)]
    assert stack.rows_of(["07", "03"]).tolist() == [7, 3]


def test_photos_have_notes_of_what_they_are_or_why_they_cannot_be_used(raw: Path) -> None:
    good, broken = (write_pair(raw, name)[0] for name in "ab")
    broken.write_bytes(b"")
    stack = write_resized_photos(raw / "stack", ["a", "b"], [str(good), str(broken)], 4, 4)
    assert stack.notes["a"] == {"height": 48, "width": 64, "format": "JPEG"}
    assert stack.notes["b"] == {"problem": "is empty (0 bytes)"}
    assert stack.usable_ids == ["a"]
    assert stack.pixels[0].any()
    assert not stack.pixels[1].any()


def test_ignored_pixels_have_a_plane_of_their_own(raw: Path) -> None:
    values = np.zeros((48, 64), np.uint8)
    values[:4, :2] = 1
    values[:4, 2:4] = 255  # The first small pixel: half car, half unknown.
    values[:4, 4:5] = 1  # The second: a quarter car.
    path = raw / "a.png"
    Image.fromarray(values).save(path)
    rules = MaskRules(MaskReading((1,), (255,)), keeps_ignored=True)
    stack = write_resized_masks(raw / "stack", ["a"], [str(path)], 12, 16, rules, raw / "native")
    assert stack.pixels.shape == (1, 12, 16, 2)
    assert stack.pixels[0, 0, :3].tolist() == [[255, 128], [64, 0], [0, 0]]
    assert stack.notes["a"]["ignored_share"] == 8 / (48 * 64)
    assert Path(stack.notes["a"]["mask_path"]) == raw / "native" / "a.png"
