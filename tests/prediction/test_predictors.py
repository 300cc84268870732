import pickle
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.predictors import (
    Ensemble,
    StoredModel,
    Tiles,
    Views,
    at_scale,
    better_predictor,
    fading_window,
    from_scale,
    seen_at_scale,
    stored,
    tile_starts,
)
from tests.support.models import HEIGHT, WIDTH, Toy


class Constant(Toy):
    """A model that says the same of every pixel."""

    def __init__(self, value: float, height: int = HEIGHT, width: int = WIDTH) -> None:
        super().__init__(height, width)
        self.value = value

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        return np.full((*photos.shape[:3], 1), self.value, np.float32)


class Left(Toy):
    """A model that is sure of the frame's left half alone, whatever it sees."""

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        maps = np.zeros((*photos.shape[:3], 1), np.float32)
        maps[:, :, : photos.shape[2] // 2] = 1
        return maps


def photos(number: int = 2, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, height, width, 3)).astype(np.uint8)


def test_an_ensemble_of_two_constants_says_their_mean() -> None:
    ensemble = Ensemble([Constant(0.25), Constant(0.75), Constant(0.5)])
    maps = ensemble.predict_on_batch(photos())
    assert maps.dtype == np.float32
    assert maps.shape == (2, HEIGHT, WIDTH, 1)
    assert (maps == 0.5).all()
    assert ensemble.input_shape == (None, HEIGHT, WIDTH, 3)


def test_models_of_an_ensemble_see_one_size() -> None:
    with pytest.raises(UserError, match="see 32×24, 64×48"):
        Ensemble([Constant(0.5), Constant(0.5, 48, 64)])


def test_mirroring_changes_nothing_for_a_model_that_is_symmetric() -> None:
    expected = Toy().predict_on_batch(photos())
    assert np.array_equal(Views(Toy(), flip=True).predict_on_batch(photos()), expected)


def test_mirroring_takes_a_side_from_a_model_that_is_not() -> None:
    assert (Views(Left(), flip=True).predict_on_batch(photos()) == 0.5).all()


def test_every_scale_is_predicted_both_ways() -> None:
    toy = Toy()
    Views(toy, flip=True, scales=(1.0, 0.9, 1.1)).predict_on_batch(photos())
    assert toy.batches == 6 * [(2, HEIGHT, WIDTH, 3)]


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.25, 2.0])
def test_scaling_and_back_leaves_a_slope_as_it_was(scale: float) -> None:
    slope = np.linspace(0, 1, 64, dtype=np.float32)[np.newaxis] * np.ones((48, 1), np.float32)
    back = from_scale(at_scale(slope, scale), scale)
    seen = seen_at_scale(48, 64, scale) > 0
    # Right to a third of a pixel of the smaller view, at its mirrored border too.
    assert np.abs(back - slope)[seen].max() < 0.34 / min(scale, 1) / 63
    share = seen.mean()
    assert share == pytest.approx(min(1, 1 / scale) ** 2, abs=0.05)


def test_what_a_larger_view_does_not_see_is_left_to_the_others() -> None:
    views = Views(Constant(0.5), scales=(1.0, 2.0))
    assert (views.predict_on_batch(photos()) == 0.5).all()
    alone, both = (
        Views(Toy(), scales=scales).predict_on_batch(photos()) for scales in ((1.0,), (1.0, 2.0))
    )
    unseen = seen_at_scale(HEIGHT, WIDTH, 2.0) == 0
    assert unseen[0].all() and unseen[:, 0].all() and not unseen[12, 16]
    assert np.array_equal(both[:, unseen], alone[:, unseen])


@pytest.mark.parametrize(("height", "width"), [(24, 32), (60, 100), (25, 33), (10, 200), (8, 9)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.7])
def test_tiles_of_a_model_that_looks_at_pixels_show_no_seam(
    height: int, width: int, overlap: float
) -> None:
    toy = Toy()
    tiled = Tiles(toy, overlap, batch_size=3)
    many = photos(2, height, width)
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
    along = tiles.predict_on_batch(photos(1, HEIGHT, WIDTH + 48))[0, 0, :, 0]
    assert tile_starts(WIDTH + 48, WIDTH, 0.5) == [0, 16, 32, 48]
    # Half a tile on, sin² of one window and cos² of the next add up to 1.
    rising = np.sin(np.pi * (np.arange(16) + 0.5) / 32) ** 2
    expected = [np.zeros(16), rising, 1 - rising, rising, np.ones(16)]
    assert along == pytest.approx(np.concatenate(expected), abs=1e-6)


def test_tiles_of_a_model_of_any_size_need_a_size() -> None:
    with pytest.raises(UserError, match=r"inference\.tiles\.height"):
        Tiles(Toy(None, None), 0.25, 2)
    toy = Toy(None, None)
    Tiles(toy, 0.25, 2, height=16, width=20).predict_on_batch(photos())
    assert set(toy.batches) == {(2, 16, 20, 3)}
    with pytest.raises(UserError, match=r"inference\.tiles\.width is 20.*photos of 32 pixels"):
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


def test_predictions_are_made_better_only_where_asked_for() -> None:
    model = Toy()
    assert better_predictor(model) is model
    both = better_predictor(model, [Constant(1.0)], flip=True, scales=(1.0, 0.9))
    assert isinstance(both, Views)
    assert both.predict_on_batch(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)) == pytest.approx(0.5)


def test_predictors_are_told_apart() -> None:
    model, tiles = Toy(), Tiles(Toy(), 0.25, 2)
    described = {
        predictor.to_json()
        for predictor in (
            *(model, Ensemble([model, model]), Views(model, True), Views(model, False, (1.0, 0.9))),
            *(tiles, Tiles(model, 0.5, 2), Tiles(Views(model, True), 0.25, 2)),
        )
    }
    assert len(described) == 7
    assert len(Tiles(Ensemble([model, model]), 0.25, 2).get_weights()) == 2


def test_models_travel_as_files(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    photos = np.random.default_rng(1).integers(0, 255, (2, HEIGHT, WIDTH, 3), np.uint8)
    models = []
    for _ in range(2):
        inputs = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
        scaled = keras.layers.Rescaling(1 / 255)(inputs)
        outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(scaled)
        models.append(keras.Model(inputs, outputs))
    written: list[Path] = []

    def store(model: keras.Model) -> Path:
        written.append(tmp_path / f"{len(written)}.keras")
        model.save(written[-1])
        return written[-1]

    predictor = Views(Ensemble(models), flip=True)
    light = pickle.dumps(stored(predictor, store))
    assert len(written) == 2
    assert len(light) < 1000
    travelled = pickle.loads(light)
    expected = predictor.predict_on_batch(photos)
    np.testing.assert_allclose(travelled.predict_on_batch(photos), expected, atol=1e-6)
    for path in written:
        path.unlink()  # Read once.
    np.testing.assert_allclose(travelled.predict_on_batch(photos), expected, atol=1e-6)
    member = travelled.predictor.members[0]
    assert isinstance(member, StoredModel) and member.input_shape == (None, HEIGHT, WIDTH, 3)


def test_what_is_no_keras_model_travels_as_it_is() -> None:
    toy = Toy()
    assert stored(Tiles(toy, 0.25, 4), lambda model: Path()).predictor is toy
