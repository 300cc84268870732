import numpy as np
import pytest
import skimage.color
import skimage.transform
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.data.augmentation import (
    Augmentation,
    augment_pair,
    draw_generator,
    draw_warp,
    jitter_colour,
    share_in_frame,
    warp,
)
from tests.support.photos import disc_mask, photo_of

ALWAYS = Augmentation(shift=0.1, scale=0.2, rotate=15, probability=1, flip_probability=0.5)


def test_nothing_changes_with_probability_zero() -> None:
    photo, mask = photo_of(disc_mask()), disc_mask().astype(np.uint8) * 255
    warped = augment_pair(photo, mask, Augmentation(shift=0.5), np.random.default_rng(0))
    assert np.array_equal(warped[0], photo)
    assert np.array_equal(warped[1], mask)


def test_a_flip_is_exact() -> None:
    photo = photo_of(disc_mask())
    mask = disc_mask().astype(np.uint8)
    flipped = augment_pair(photo, mask, Augmentation(flip_probability=1), np.random.default_rng(0))
    assert np.array_equal(flipped[0], photo[:, ::-1])
    assert np.array_equal(flipped[1], mask[:, ::-1])


@given(seed=st.integers(0, 2**32))
def test_ranges_are_kept(seed: int) -> None:
    height, width = 100, 200
    matrix = draw_warp(
        Augmentation(shift=0.1, scale=0.2, rotate=15, probability=1),
        height,
        width,
        np.random.default_rng(seed),
    )
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    angle = np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0]))
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = matrix @ [*centre, 1] - centre
    assert 0.8 <= scale <= 1.2
    assert abs(angle) <= 15 + 1e-9
    assert abs(shift[0]) <= 0.1 * width + 1e-9
    assert abs(shift[1]) <= 0.1 * height + 1e-9


def coloured(**settings: float) -> np.ndarray:
    """Two pixels, red and a dark green that is half grey, with colours changed by seed 3."""
    photo = np.array([[[255, 0, 0], [50, 100, 50]]], np.uint8)
    changed = Augmentation(colour_probability=1, **settings)
    return jitter_colour(photo, changed, np.random.default_rng(3))


def test_colours_change_as_the_colour_circle_has_them() -> None:
    rng = np.random.default_rng(3)
    rng.random()
    turn, more_colour, brighter = rng.uniform(-1, 1, 3)
    expected = skimage.color.hsv2rgb(
        np.array([[[turn * 0.25 % 1, 1, 1], [(1 / 3 + turn * 0.25) % 1, 0.5, 100 / 255]]])
    )
    assert coloured(hue=90) == pytest.approx(255 * expected, abs=6)  # Steps of two degrees.
    clipped = [[0, min(1, 1 + more_colour / 4), 1], [1 / 3, 0.5 + more_colour / 4, 100 / 255]]
    assert coloured(saturation=0.25) == pytest.approx(
        255 * skimage.color.hsv2rgb(np.array([clipped])), abs=2
    )
    light = [[0, 1, min(1, 1 + brighter / 4)], [1 / 3, 0.5, 100 / 255 + brighter / 4]]
    assert coloured(brightness=0.25) == pytest.approx(
        255 * skimage.color.hsv2rgb(np.array([light])), abs=2
    )


def test_colours_change_as_often_as_asked_and_masks_never() -> None:
    photo, mask = photo_of(disc_mask()), disc_mask().astype(np.uint8) * 255
    changes = Augmentation(hue=90, colour_probability=0.25)
    pairs = [augment_pair(photo, mask, changes, np.random.default_rng(n)) for n in range(400)]
    assert all(np.array_equal(shown, mask) for _, shown in pairs)
    share = np.mean([not np.array_equal(shown, photo) for shown, _ in pairs])
    assert share == pytest.approx(0.25, abs=0.06)


def test_photo_and_mask_move_together() -> None:
    mask = disc_mask()
    photo = np.dstack([mask.astype(np.uint8) * 255] * 3)
    for seed in range(20):
        warped_photo, warped_mask = augment_pair(
            photo, photo[..., 0], ALWAYS, np.random.default_rng(seed)
        )
        assert np.array_equal(warped_photo[..., 0], warped_mask)


def test_the_warp_agrees_with_scikit_image() -> None:
    mask = disc_mask().astype(np.float32)
    matrix = draw_warp(ALWAYS, *mask.shape, np.random.default_rng(3))
    forward = skimage.transform.AffineTransform(np.vstack([matrix, [0, 0, 1]]))
    expected = skimage.transform.warp(mask, forward.inverse, order=1, mode="reflect")
    assert np.abs(warp(mask, matrix, "reflect") - expected).max() < 0.05  # OpenCV: 1/32 pixel.


@pytest.mark.parametrize(
    ("border", "expected"), [("constant", 0), ("replicate", 9), ("reflect", 7)]
)
def test_borders(border: str, expected: int) -> None:
    image = np.array([[9, 8, 7, 6]], np.uint8)
    shifted = warp(image, np.array([[1.0, 0, 2], [0, 1, 0]]), border)
    assert shifted[0, 0] == expected
    assert shifted[0, 2:].tolist() == [9, 8]


def test_share_in_frame_by_hand() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:, 2:6] = True
    assert share_in_frame(mask, np.eye(2, 3)) == 1
    three_to_the_left = np.array([[1.0, 0, -3], [0, 1, 0]])
    assert share_in_frame(mask, three_to_the_left) == 0.75


def test_draws_depend_on_seed_epoch_and_photo_alone() -> None:
    draws = {
        draw_generator(*key).random()
        for key in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, 0)]
    }
    assert len(draws) == 4
