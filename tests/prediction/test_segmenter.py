from functools import partial

import numpy as np
import pytest
import skimage.transform

from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.ensemble import Ensemble
from car_segmentation.prediction.segmenter import Segmenter, to_native_size
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation
from car_segmentation.prediction.tiling import Tiles
from tests.support.models import HEIGHT, WIDTH, Toy
from tests.support.photos import SIZE, disc_mask, photo_of


def test_native_size_is_bilinear_between_pixel_centres() -> None:
    probability = np.random.default_rng(1).random((6, 8)).astype(np.float16)
    enlarged = to_native_size(probability, 18, 24)
    expected = skimage.transform.resize(
        probability.astype(np.float32), (18, 24), order=1, mode="edge", anti_aliasing=False
    )
    assert enlarged.dtype == np.float32
    assert np.abs(enlarged - expected).max() < 1e-3


def test_a_photo_is_averaged_over_areas_predicted_and_enlarged() -> None:
    photo = photo_of(disc_mask())
    probability = Segmenter(Toy()).probability(photo)
    means = skimage.transform.downscale_local_mean(photo[..., 1], (2, 2)) / 255
    expected = to_native_size(means, *SIZE)
    # Half a grey level of rounding, and three digits of float16.
    assert np.abs(probability - expected).max() < 0.5 / 255 + 5e-4
    assert probability.dtype == np.float32 and probability.shape == SIZE


def test_probabilities_have_the_precision_in_which_they_are_kept() -> None:
    small = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    probability = Segmenter(Toy()).probability(small)
    assert np.array_equal(probability, probability.astype(np.float16))
    assert not np.array_equal(probability, small[..., 1] / np.float32(255))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_a_mask_is_cut_at_the_threshold(threshold: float) -> None:
    photo = photo_of(disc_mask())
    segmenter = Segmenter(Toy(), threshold)
    assert np.array_equal(segmenter.mask(photo), segmenter.probability(photo) >= threshold)


def test_many_photos_are_as_each_alone_and_in_full_batches() -> None:
    model = Toy()
    sizes = [SIZE, (31, 50), (HEIGHT, WIDTH)]
    photos = [photo_of(disc_mask(*size)) for size in sizes]
    maps = list(Segmenter(model, batch_size=2).probabilities(iter(photos)))
    assert model.batches == [(2, HEIGHT, WIDTH, 3)] * 2
    for photo, probability in zip(photos, maps, strict=True):
        assert np.array_equal(probability, Segmenter(Toy()).probability(photo))


def test_photos_of_several_sizes_are_tiled_one_by_one() -> None:
    segmenter = Segmenter(Tiles(Toy(), 0.25, batch_size=2), batch_size=2)
    photos = [photo_of(disc_mask(*size)) for size in (SIZE, (31, 50))]
    assert segmenter.input_size is None and segmenter.photos_at_a_time == 1
    for photo, probability in zip(photos, segmenter.probabilities(photos), strict=True):
        assert probability == pytest.approx(photo[..., 1] / 255, abs=5e-4)


def test_options_say_how_it_predicts() -> None:
    build = partial(Segmenter.from_options, Toy(), threshold=0.4)
    plain = build(PredictionOptions(batch_size=3))
    assert isinstance(plain.predictor, Toy)
    assert (plain.threshold, plain.batch_size, plain.input_size) == (0.4, 3, (HEIGHT, WIDTH))
    tiled = build(PredictionOptions(flip=True, tiles={"overlap": 0.5}))
    assert isinstance(tiled.predictor, Tiles)
    assert isinstance(tiled.predictor.predictor, TestTimeAugmentation)
    assert not isinstance(tiled.predictor.predictor.predictor, Ensemble)
