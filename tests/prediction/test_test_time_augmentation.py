import numpy as np
import pytest

from car_segmentation.prediction.test_time_augmentation import (
    TestTimeAugmentation,
    at_scale,
    from_scale,
    seen_at_scale,
)
from tests.support.models import HEIGHT, WIDTH, Constant, Toy, random_photos


class Left(Toy):
    """A model that is sure of the frame's left half alone, whatever it sees."""

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        maps = np.zeros((*photos.shape[:3], 1), np.float32)
        maps[:, :, : photos.shape[2] // 2] = 1
        return maps


def test_mirroring_changes_nothing_for_a_model_that_is_symmetric() -> None:
    photos = random_photos()
    mirrored_too = TestTimeAugmentation(Toy(), flip=True).predict_on_batch(photos)
    assert np.array_equal(mirrored_too, Toy().predict_on_batch(photos))


def test_mirroring_takes_a_side_from_a_model_that_is_not() -> None:
    assert (TestTimeAugmentation(Left(), flip=True).predict_on_batch(random_photos()) == 0.5).all()


def test_every_scale_is_predicted_both_ways() -> None:
    toy = Toy()
    TestTimeAugmentation(toy, flip=True, scales=(1.0, 0.9, 1.1)).predict_on_batch(random_photos())
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
    views = TestTimeAugmentation(Constant(0.5), scales=(1.0, 2.0))
    assert (views.predict_on_batch(random_photos()) == 0.5).all()
    alone, both = (
        TestTimeAugmentation(Toy(), scales=scales).predict_on_batch(random_photos())
        for scales in ((1.0,), (1.0, 2.0))
    )
    unseen = seen_at_scale(HEIGHT, WIDTH, 2.0) == 0
    assert unseen[0].all() and unseen[:, 0].all() and not unseen[12, 16]
    assert np.array_equal(both[:, unseen], alone[:, unseen])
