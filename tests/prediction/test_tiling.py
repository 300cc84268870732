import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.tiling import Tiles, fading_window, tile_starts
from tests.support.models import HEIGHT, WIDTH, Toy, random_photos


@pytest.mark.parametrize(("height", "width"), [(24, 32), (60, 100), (25, 33), (10, 200), (8, 9)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.7])
def test_tiles_of_a_model_that_looks_at_pixels_show_no_seam(
    height: int, width: int, overlap: float
) -> None:
    toy = Toy()
    tiled = Tiles(toy, overlap, batch_size=3)
    many = random_photos(2, height, width)
    assert tiled.predict_on_batch(many) == pytest.approx(
        Toy().predict_on_batch(many), rel=1e-5, abs=1e-6
    )
    assert set(toy.batches) == {(3, HEIGHT, WIDTH, 3)}


def test_tiles_that_disagree_fade_into_each_other() -> None:
    class Alternating(Toy):
        """Says 0 and 1 of every other photo."""

        def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
            says = np.arange(len(photos), dtype=np.float32) % 2
            return np.broadcast_to(says[:, None, None, None], (*photos.shape[:3], 1))

    tiles = Tiles(Alternating(), overlap=0.5, batch_size=4)
    along = tiles.predict_on_batch(random_photos(1, HEIGHT, WIDTH + 48))[0, 0, :, 0]
    assert tile_starts(WIDTH + 48, WIDTH, 0.5) == [0, 16, 32, 48]
    # Half a tile on, sin² of one window and cos² of the next add up to 1.
    rising = np.sin(np.pi * (np.arange(16) + 0.5) / 32) ** 2
    expected = [np.zeros(16), rising, 1 - rising, rising, np.ones(16)]
    assert along == pytest.approx(np.concatenate(expected), abs=1e-6)


def test_tiles_of_a_model_of_any_size_need_a_size() -> None:
    with pytest.raises(UserError, match=r"prediction\.tiles\.height"):
        Tiles(Toy(None, None), 0.25, 2)
    toy = Toy(None, None)
    Tiles(toy, 0.25, 2, height=16, width=20).predict_on_batch(random_photos())
    assert set(toy.batches) == {(2, 16, 20, 3)}
    with pytest.raises(UserError, match=r"prediction\.tiles\.width is 20.*photos of 32 pixels"):
        Tiles(Toy(), 0.25, 2, width=20)


@given(
    length=st.integers(1, 3000),
    tile=st.integers(1, 500),
    overlap=st.floats(0, 0.9, allow_nan=False),
)
def test_tiles_cover_a_photo_and_overlap(length: int, tile: int, overlap: float) -> None:
    tile = min(tile, length)
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0 and starts[-1] == length - tile
    assert len(set(starts)) == len(starts)
    steps = np.diff(starts)
    assert (steps <= max(1, tile * (1 - overlap)) + 1e-9).all()


def test_a_window_is_symmetric_and_nowhere_0() -> None:
    window = fading_window(10)
    assert window == pytest.approx(window[::-1])
    assert window.min() > 0 and window.argmax() in (4, 5)


def test_tiles_take_memory_for_one_batch() -> None:
    def peak(width: int) -> int:
        photo = np.zeros((1, 64, width, 3), np.uint8)
        tracemalloc.start()
        Tiles(Toy(64, 64), 0.5, batch_size=2).predict_on_batch(photo)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    # A hundred times the tiles: a few maps of the photo's own size more, and no more.
    assert peak(6400) < peak(64) + 64 * 6400 * 4 * 5
