import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from car_segmentation.core import pixel_budget
from car_segmentation.core.parallel import map_bounded
from car_segmentation.core.pixel_budget import Budget, shared_pixels
from car_segmentation.data.image_files import OpenImage
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.masks import MaskRules
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos
from car_segmentation.evaluation import photo_scores
from tests.support.photos import SIZE, disc_mask, write_pair

PIXELS = SIZE[0] * SIZE[1]


class Watched:
    """The most pixels that were in flight together in calls of a function."""

    def __init__(self) -> None:
        self.lock, self.held, self.most = threading.Lock(), 0, 0

    @contextmanager
    def holding(self, pixels: int) -> Iterator[None]:
        with self.lock:
            self.held += pixels
            self.most = max(self.most, self.held)
        time.sleep(0.02)
        yield
        with self.lock:
            self.held -= pixels

    def around(self, function: Callable, pixels: int) -> Callable:
        def watched(*args):
            with self.holding(pixels):
                return function(*args)

        return watched


def test_a_budget_bounds_what_is_in_flight_and_lets_large_work_through_alone() -> None:
    budget, lock, held, most = Budget(10), threading.Lock(), 0, []

    def work(amount: int) -> None:
        nonlocal held
        with budget.take(amount):
            with lock:
                held += amount
                most.append(held)
            time.sleep(0.002)
            with lock:
                held -= amount

    amounts = [4, 3, 25, 6, 10, 1, 2, 40, 5] * 4
    assert len(list(map_bounded(work, amounts, 16, threads=8))) == len(amounts)
    assert max(it for it in most if it not in {25, 40}) <= 10


def test_a_budget_is_given_back_after_an_error() -> None:
    budget = Budget(1)
    with pytest.raises(KeyError), budget.take(1):
        raise KeyError
    with budget.take(1):
        pass


def test_large_images_share_slots_and_small_ones_pass(tmp_path: Path) -> None:
    watched = Watched()

    def work(megapixels: int) -> None:
        pixels = megapixels * 1_000_000
        with shared_pixels(pixels, tmp_path), watched.holding(pixels):
            pass

    # In slots of 4 megapixels, of which there are 16: 48 and 20 are not together, nor 9 and 60.
    list(map_bounded(work, [48, 20, 60, 9, 24, 24, 24], 7, threads=7))
    assert 24_000_000 < watched.most <= 64_000_000
    with shared_pixels(100_000_000, tmp_path):  # All slots: small ones need none.
        work(4)


def _hold_and_die(folder: Path) -> None:
    with shared_pixels(64_000_000, folder):
        os._exit(9)


def test_a_killed_process_gives_its_slots_back(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    with shared_pixels(64_000_000, tmp_path):
        pass


@pytest.fixture
def one_photo_fits(monkeypatch, tmp_path: Path) -> None:
    """A bound of hardly more than one photo's pixels."""
    monkeypatch.setattr(pixel_budget, "SMALL", PIXELS // 2)
    monkeypatch.setattr(pixel_budget, "PIXELS_IN_FLIGHT", PIXELS)
    monkeypatch.setattr(pixel_budget.tempfile, "gettempdir", lambda: str(tmp_path / "slots"))


@pytest.mark.usefixtures("one_photo_fits")
def test_photos_and_masks_are_resized_within_the_bound(monkeypatch, raw: Path) -> None:
    pairs = [write_pair(raw, f"{number:012x}_01") for number in range(6)]
    ids = [photo.stem for photo, _ in pairs]
    photos, masks = ([str(path) for path in paths] for paths in zip(*pairs, strict=True))
    watched, rules = Watched(), MaskRules()
    monkeypatch.setattr(OpenImage, "rgb", watched.around(OpenImage.rgb, PIXELS))
    monkeypatch.setattr(MaskRules, "read", watched.around(MaskRules.read, PIXELS))
    with joblib.parallel_config("threading"):
        write_resized_photos(raw / "photos", ids, photos, 24, 32)
        write_resized_masks(raw / "masks", ids, masks, 24, 32, rules)
    assert watched.most == PIXELS


def test_photos_are_scored_within_the_bound(monkeypatch, raw: Path) -> None:
    rows = [(f"{n:012x}_01", str(write_pair(raw, f"{n:012x}_01")[1])) for n in range(6)]
    table = pd.DataFrame(rows, columns=["photo_id", "mask_path"])
    stack = ImageStack(tuple(table["photo_id"]), np.stack([disc_mask()] * 6).astype(np.float16))
    watched = Watched()
    monkeypatch.setattr(photo_scores, "Budget", lambda: Budget(PIXELS * 1.5))
    measure = watched.around(lambda result: result.truth.sum(), PIXELS)
    sums = list(photo_scores.measure_photos(measure, stack, table, 0.5))
    assert sums == [disc_mask().sum()] * 6
    assert watched.most == PIXELS
