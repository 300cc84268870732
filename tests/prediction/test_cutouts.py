import cv2
import numpy as np
import pytest

from car_segmentation.prediction import cutouts
from car_segmentation.prediction.cutouts import CLEAN_DEPTH, clean_edge_colours, cut_out, soft_alpha

SIDE = 120
CAR, STUDIO = np.array([40.0, 30, 90]), np.array([230.0, 225, 220])


def coverage(radius: float) -> np.ndarray:
    """How much of each pixel a disc covers, to 1/64; float32 (SIDE, SIDE)."""
    y, x = (np.mgrid[: 8 * SIDE, : 8 * SIDE] + 0.5) / 8 - SIDE / 2
    disc = (x**2 + y**2 <= radius**2).astype(np.float32)
    return cv2.resize(disc, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def photo_of(share: np.ndarray) -> np.ndarray:
    """A disc in a bright studio through a lens that blurs by a pixel; uint8 RGB."""
    share = cv2.GaussianBlur(share, (0, 0), 1.0)[..., np.newaxis]
    return np.rint(share * CAR + (1 - share) * STUDIO).astype(np.uint8)


def predicted(radius: float) -> np.ndarray:
    """What a network of half the size would say of the disc."""
    small = cv2.resize(coverage(radius), (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def on(background: np.ndarray, picture: np.ndarray) -> np.ndarray:
    alpha = picture[..., 3:] / 255
    return picture[..., :3] * alpha + background * (1 - alpha)


@pytest.mark.parametrize("too_large", [0.0, 1.5])
@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (0, 220, 0), (255, 0, 200)])
def test_no_halo_on_another_background(background: tuple[int, int, int], too_large: float) -> None:
    share = coverage(30)
    picture = cut_out(photo_of(share), predicted(30 + too_large), 0.5)
    composite = on(np.array(background), picture)
    # Every colour lies between the background's and the car's: none is the studio's.
    towards_car = CAR - background
    share_of_car = (composite - background) @ towards_car / (towards_car @ towards_car)
    between = background + np.clip(share_of_car, 0, 1)[..., np.newaxis] * towards_car
    assert np.linalg.norm(composite - between, axis=2).max() < 12


def test_the_edge_is_where_it_was_and_soft() -> None:
    share = coverage(30)
    alpha = soft_alpha(predicted(30), 0.5)
    assert alpha.sum() == pytest.approx(share.sum(), rel=0.005)
    assert np.abs(alpha - share).max() < 0.45
    soft = (alpha > 0) & (alpha < 1)
    assert np.count_nonzero(soft) / (2 * np.pi * 30) < 2.5


def test_an_unsure_network_blurs_no_edge() -> None:
    unsure = cv2.GaussianBlur(coverage(30), (0, 0), 4.0)
    alpha = soft_alpha(unsure, 0.5)
    soft = (alpha > 0) & (alpha < 1)
    assert np.count_nonzero(soft) / (2 * np.pi * 30) < 2.5


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_half_opaque_is_where_the_mask_ends(threshold: float) -> None:
    probability = predicted(30)
    alpha = soft_alpha(probability, threshold)
    assert np.array_equal(alpha >= 0.5, probability >= np.float32(threshold))


def test_colours_inside_are_the_photos() -> None:
    mask = coverage(30) >= 0.5
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    deep = depth > CLEAN_DEPTH + 0.5
    assert np.array_equal(clean_edge_colours(photo, mask)[deep], photo[deep])


def test_a_thin_part_keeps_the_colour_of_its_middle() -> None:
    antenna = np.zeros((SIDE, SIDE), np.float32)
    antenna[:, 59:62] = 1
    picture = cut_out(photo_of(antenna), antenna, 0.5)
    naive = photo_of(antenna)[60, 59]
    assert np.abs(picture[60, 59, :3] - CAR).max() < np.abs(naive - CAR).max() / 2


def test_nothing_found_and_everything_found() -> None:
    photo = photo_of(coverage(30))
    assert not cut_out(photo, np.zeros((SIDE, SIDE), np.float32), 0.5).any()
    whole = cut_out(photo, np.ones((SIDE, SIDE), np.float32), 0.5)
    assert (whole[..., 3] == 255).all()
    assert np.array_equal(whole[..., :3], photo)


@pytest.mark.parametrize("seed", range(4))
def test_tiles_make_no_difference(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (211, 307, 3), np.uint8)
    mask = cv2.GaussianBlur(rng.normal(size=(211, 307)).astype(np.float32), (0, 0), 3) > 0.02
    mask[:100, :150] = seed % 2
    in_one = clean_edge_colours(photo, mask)
    monkeypatch.setattr(cutouts, "TILE", 40)
    assert np.array_equal(clean_edge_colours(photo, mask), in_one)
