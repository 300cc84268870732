from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.composites import (
    Backdrop,
    clear_if_other,
    composite,
    read_backdrop,
)


def test_a_cut_out_is_mixed_with_what_is_behind_it() -> None:
    picture = np.zeros((3, 4, 4), np.uint8)
    picture[1, 1] = (200, 100, 0, 255)
    picture[1, 2] = (200, 100, 0, 128)
    backdrop = np.full((3, 4, 3), (10, 20, 250), np.uint8)
    result = composite(picture, backdrop)
    assert result.dtype == np.uint8
    assert result[1, 1].tolist() == [200, 100, 0]
    # 128/255 of one and 127/255 of the other: 105.37, 60.16, 124.51.
    assert result[1, 2].tolist() == [105, 60, 125]
    outside = picture[..., 3] == 0
    assert (result[outside] == (10, 20, 250)).all()
    assert (backdrop == (10, 20, 250)).all()


def test_every_mixture_is_that_of_an_independent_library() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 64, 4)).astype(np.uint8)
    backdrop = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    expected = Image.fromarray(backdrop).convert("RGBA")
    expected.alpha_composite(Image.fromarray(picture))
    difference = composite(picture, backdrop).astype(int) - np.asarray(expected)[..., :3]
    assert np.abs(difference).max() <= 1


def test_nothing_cut_out_leaves_the_backdrop() -> None:
    backdrop = np.full((3, 4, 3), 7, np.uint8)
    assert (composite(np.zeros((3, 4, 4), np.uint8), backdrop) == 7).all()


def test_a_colour_is_behind_every_photo() -> None:
    behind = read_backdrop("#0a14FF", ".jpg").behind(5, 7)
    assert behind.shape == (5, 7, 3)
    assert (behind == (10, 20, 255)).all()


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((4, 8), slice(0, 8)),  # height, width of the photo; columns of the picture that are seen
        ((8, 16), slice(0, 8)),
        ((4, 4), slice(2, 6)),
        ((8, 8), slice(2, 6)),
    ],
)
def test_a_picture_covers_a_photo_and_its_middle_is_kept(
    size: tuple[int, int], kept: slice
) -> None:
    columns = np.arange(8, dtype=np.uint8) * 30
    picture = np.broadcast_to(columns[np.newaxis, :, np.newaxis], (4, 8, 3))
    behind = Backdrop(np.ascontiguousarray(picture)).behind(*size)
    assert behind.shape == (*size, 3)
    assert int(behind[0, 0, 0]) == pytest.approx(int(columns[kept][0]), abs=8)
    assert int(behind[0, -1, 0]) == pytest.approx(int(columns[kept][-1]), abs=8)


def test_a_picture_is_read_upright_from_any_format(tmp_path: Path) -> None:
    Image.new("RGB", (6, 3), (1, 2, 3)).save(tmp_path / "studio.png")
    backdrop = read_backdrop(str(tmp_path / "studio.png"), ".png")
    assert backdrop.picture.shape == (3, 6, 3)
    assert (backdrop.behind(100, 20) == (1, 2, 3)).all()


def test_what_is_no_backdrop_is_the_users_to_mend(tmp_path: Path) -> None:
    for colour in ("#fff", "#gggggg", "#ffffff00"):
        with pytest.raises(UserError, match=f"'{colour}', which is not a valid colour"):
            read_backdrop(colour, ".jpg")
    with pytest.raises(UserError, match=r"studio\.png', and there is no such picture"):
        read_backdrop(str(tmp_path / "studio.png"), ".jpg")
    (tmp_path / "studio.png").write_text("no picture")
    with pytest.raises(UserError, match=r"studio\.png is not an image"):
        read_backdrop(str(tmp_path / "studio.png"), ".jpg")


def test_composites_on_another_backdrop_are_cleared(tmp_path: Path) -> None:
    white, black = read_backdrop("#ffffff", ".jpg"), read_backdrop("#000000", ".jpg")
    clear_if_other(tmp_path, white.digest())
    (tmp_path / "a.jpg").touch()
    clear_if_other(tmp_path, read_backdrop("#FFFFFF", ".jpg").digest())
    assert (tmp_path / "a.jpg").exists()
    clear_if_other(tmp_path, black.digest())
    assert not (tmp_path / "a.jpg").exists()
    assert read_backdrop("#000000", ".png").digest() != black.digest()


def test_a_colour_has_a_name() -> None:
    assert read_backdrop("White", ".jpg").picture.tolist() == [[[255, 255, 255]]]
    assert read_backdrop("rebeccapurple", ".jpg").picture.tolist() == [[[0x66, 0x33, 0x99]]]


def test_a_folder_of_before_there_were_notes_is_kept_where_it_is_what_is_wanted(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.png").touch()
    clear_if_other(tmp_path, "plain", unless_noted="plain")
    assert (tmp_path / "a.png").exists()
    clear_if_other(tmp_path, "with shadow", unless_noted="plain")
    assert not (tmp_path / "a.png").exists()
