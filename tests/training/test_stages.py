import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.parameters import Stage
from car_segmentation.training.stages import apply_stage, mean_area, stage_of
from tests.support.photos import disc_mask, photo_of

SMALL = Stage(end_fraction=0.5, mode="resize", height=24, width=32)
CROP = Stage(end_fraction=0.75, mode="crop", height=20, width=30, edge_crop_probability=1.0)
STILL = Augmentation()
MASK = disc_mask().astype(np.uint8) * 255
PHOTO = photo_of(disc_mask())


def test_epochs_belong_to_stages_by_their_end() -> None:
    stages = [stage_of((SMALL, CROP), epoch, 8) for epoch in range(8)]
    assert stages == [SMALL] * 4 + [CROP] * 2 + [None] * 2
    assert stage_of((), 0, 8) is None


def test_a_training_too_short_for_all_stages_leaves_some_out() -> None:
    assert stage_of((SMALL, CROP), 0, 1) == CROP


def test_the_area_that_a_network_sees() -> None:
    """Half of the epochs a quarter of the photo, a quarter of them 600 of 3,072 pixels."""
    expected = 0.5 / 4 + 0.25 * 600 / 3072 + 0.25
    assert mean_area((SMALL, CROP), 48, 64) == pytest.approx(expected)
    assert mean_area((), 48, 64) == 1


def test_small_photos_are_averages() -> None:
    photo, mask = apply_stage(SMALL, PHOTO, MASK, STILL, np.random.default_rng(0))
    assert photo.shape == (24, 32, 3) and mask.shape == (24, 32)
    means = PHOTO.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(photo - means).max() <= 0.5


def test_without_a_stage_photos_are_whole() -> None:
    photo, mask = apply_stage(None, PHOTO, MASK, STILL, np.random.default_rng(0))
    assert np.array_equal(photo, PHOTO) and np.array_equal(mask, MASK)


@given(seed=st.integers(0, 2**32))
def test_a_crop_is_a_part_of_the_photo_with_some_of_the_edge(seed: int) -> None:
    positions = np.dstack(np.mgrid[:48, :64]).astype(np.uint8)
    photo = np.dstack([positions, MASK])
    shown, mask = apply_stage(CROP, photo, MASK, STILL, np.random.default_rng(seed))
    top, left = shown[0, 0, :2]
    assert np.array_equal(shown, photo[top : top + 20, left : left + 30])
    assert np.array_equal(mask, shown[..., 2])
    assert mask.min() == 0 and mask.max() == 255


@given(seed=st.integers(0, 2**32))
def test_a_varied_crop_shows_photo_and_mask_alike(seed: int) -> None:
    varied = Augmentation(shift=0.1, scale=0.2, rotate=15, probability=1, flip_probability=0.5)
    photo = np.dstack([MASK] * 3)
    shown, mask = apply_stage(CROP, photo, MASK, varied, np.random.default_rng(seed))
    assert shown.shape == (20, 30, 3)
    assert np.array_equal(shown[..., 0], mask)


def test_crops_elsewhere_and_without_an_edge_lie_anywhere() -> None:
    positions = np.dstack([*np.mgrid[:48, :64], MASK]).astype(np.uint8)
    corners = [
        tuple(apply_stage(stage, positions, mask, STILL, np.random.default_rng(seed))[0][0, 0, :2])
        for seed in range(300)
        for stage, mask in (
            (CROP.model_copy(update={"edge_crop_probability": 0.0}), MASK),
            (CROP, np.zeros_like(MASK)),
        )
    ]
    assert corners[::2] == corners[1::2]
    assert {top for top, _ in corners} == set(range(29))
    assert {left for _, left in corners} == set(range(35))
