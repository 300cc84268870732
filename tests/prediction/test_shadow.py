"""A shadow that was painted on a studio's floor is found again, and nothing else."""

import subprocess
import sys

import numpy as np
import pytest

from car_segmentation.prediction.shadow import lay_on_shadow, shadow_of

HEIGHT, WIDTH = 240, 360


def studio(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo of a box on a floor with a gradient, its mask, and the shadow's opacity."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    floor = 150 + 40 * x / WIDTH + 30 * y / HEIGHT - 25 * (x / WIDTH - 0.4) ** 2
    mask = (np.abs(x - 180) < 70) & (np.abs(y - 120) < 40)
    # Softer downwards, below the box.
    below = np.clip((y - 150) / 30, 0, 1)
    opacity = (
        0.7 * np.exp(-(((x - 180) / 70) ** 4)) * (below > 0) * np.clip(1.6 - below * 1.6, 0, 1)
    )
    grey = floor * (1 - opacity)
    photo = np.stack([grey * 1.0, grey * 0.97, grey * 0.92], axis=-1)
    photo[mask] = (30, 60, 120)
    photo += np.random.default_rng(seed).normal(0, 2, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), mask, opacity


def test_the_shadow_is_what_the_floor_lost() -> None:
    photo, mask, opacity = studio()
    found = shadow_of(photo, mask)
    assert found.dtype == np.float32 and found.shape == mask.shape
    close = (~mask) & (np.indices(mask.shape)[0] > 164) & (np.indices(mask.shape)[0] < 178)
    close &= np.abs(np.indices(mask.shape)[1] - 180) < 50
    assert np.abs(found - opacity)[close].mean() < 0.06
    assert found[close].mean() > 0.25


def test_there_is_no_shadow_where_there_is_none() -> None:
    photo, mask, opacity = studio()
    found = shadow_of(photo, mask)
    far = (opacity < 0.01) & ~mask
    assert found[far].mean() < 0.01
    assert np.percentile(found[far], 99) < 0.06
    assert found[[0, -1]].max() == 0 and found[:, [0, -1]].max() == 0


def test_a_clean_floor_has_no_shadow() -> None:
    photo, mask, _ = studio()
    x = np.arange(WIDTH)[np.newaxis] + np.zeros((HEIGHT, 1))
    photo = np.where(mask[..., None], photo, (150 + 40 * x / WIDTH)[..., None]).astype(np.uint8)
    found = shadow_of(photo, mask)
    assert found[~mask].max() < 0.03


def test_it_has_no_edge() -> None:
    photo, mask, _ = studio()
    found = shadow_of(photo, mask)
    steps = np.abs(np.diff(found, axis=1))[~mask[:, 1:] & ~mask[:, :-1]]
    assert steps.max() < 0.12
    # Nor does it break off under the object's own soft edge.
    assert np.abs(found[160, 130:230] - found[156, 130:230]).max() < 0.15


@pytest.mark.parametrize("covered", [0, 1])
def test_without_a_thing_or_a_floor_there_is_none(covered: int) -> None:
    photo, mask, _ = studio()
    assert not shadow_of(photo, np.full_like(mask, bool(covered))).any()
    tiny = shadow_of(photo[:2, :3], np.full((2, 3), bool(covered)))
    assert tiny.shape == (2, 3) and not tiny.any()


def test_a_large_photos_shadow_is_a_small_ones() -> None:
    photo, mask, _ = studio()
    large = shadow_of(
        np.repeat(np.repeat(photo, 4, 0), 4, 1), np.repeat(np.repeat(mask, 4, 0), 4, 1)
    )
    small = shadow_of(photo, mask)
    assert np.abs(large[2::4, 2::4] - small).mean() < 0.01


def test_a_cut_out_lies_on_its_shadow() -> None:
    picture = np.array([[(200, 100, 50, 255), (200, 100, 50, 102), (0, 0, 0, 0)]], np.uint8)
    opacity = np.array([[0.8, 0.25, 0.25]], np.float32)
    laid = lay_on_shadow(picture, opacity)
    # 0.4 of the car over 0.25 of the rest in shadow: 0.55, of which 8/11 are the car's colours.
    assert laid.tolist() == [[[200, 100, 50, 255], [145, 73, 36, 140], [0, 0, 0, 64]]]
    assert np.array_equal(lay_on_shadow(picture, np.zeros_like(opacity)), picture)


IN_ITS_THREAD = """
import time, cv2, numpy as np
from car_segmentation.prediction.shadow import shadow_of
cv2.setNumThreads(1)
photo = np.random.default_rng(0).integers(150, 220, (240, 360, 3)).astype(np.uint8)
mask = np.zeros((240, 360), bool)
mask[60:140, 100:260] = True
def share():
    process, thread = time.process_time(), time.thread_time()
    shadow_of(photo, mask)
    thread = time.thread_time() - thread
    return (time.process_time() - process) / thread

print(min(share() for _ in range(5)))
"""


def test_it_is_worked_out_in_its_own_thread() -> None:
    """LAPACK's threads would wait for one another, for seconds on a busy machine."""
    done = subprocess.run([sys.executable, "-c", IN_ITS_THREAD], capture_output=True, check=True)
    assert float(done.stdout) < 1.3
