import threading
from typing import Any, ClassVar

import numpy as np
import pytest

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.parameters import Stage
from car_segmentation.training.batches import Batch, PhotoBatches

IDS = tuple("abcdefg")
PHOTOS = ImageStack(
    IDS, np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1) * np.ones((7, 8, 8, 3), np.uint8)
)
MASKS = ImageStack(IDS[::-1], np.full((7, 8, 8), 51, np.uint8))
VARIED = Augmentation(shift=0.2, scale=0.2, probability=1.0, flip_probability=0.5)


def test_without_augmentation_photos_come_as_they_are_in_order() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list("cdefg"), batch_size=2)
    assert len(batches) == 3
    photos, masks, weights, size = next(batches.epoch())
    assert (weights, size) == (None, 2)
    assert photos.shape == (2, 8, 8, 3) and photos.dtype == np.uint8
    assert masks.shape == (2, 8, 8, 1) and masks.dtype == np.float32
    given = list(batches.epoch())
    assert [batch.photos.max() for batch in given] == [3, 5, 6]
    assert [batch.size for batch in given] == [len(batch.photos) for batch in given] == [2, 2, 1]
    assert np.unique(masks) == pytest.approx([0.2])


def test_every_photo_once_an_epoch_in_a_new_order() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, Augmentation(), seed=1)
    orders = []
    for epoch in range(3):
        order = [photo.max() for batch in batches.epoch(epoch) for photo in batch.photos]
        assert sorted(order) == list(range(7))
        orders.append(tuple(order))
    assert len(set(orders)) == 3


def noise() -> tuple[ImageStack, ImageStack]:
    rng = np.random.default_rng(0)
    photos = ImageStack(IDS, rng.integers(0, 256, (7, 16, 16, 3)).astype(np.uint8))
    return photos, ImageStack(IDS, rng.integers(0, 256, (7, 16, 16)).astype(np.uint8))


def assert_alike(some: list[Batch], others: list[Batch]) -> None:
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert np.array_equal(one.photos, other.photos)
        assert np.array_equal(one.masks, other.masks)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_same_seed_gives_the_same_batches_with_any_number_of_threads(workers: int) -> None:
    one = PhotoBatches(*noise(), list(IDS), 3, VARIED, seed=5)
    other = PhotoBatches(*noise(), list(IDS), 3, VARIED, seed=5, workers=workers)
    first = list(one.epoch(0))
    assert_alike(list(other.epoch(0)), first)
    changed = zip(one.epoch(1), first, strict=True)
    assert not all(np.array_equal(batch.photos, before.photos) for batch, before in changed)


def test_an_epoch_may_be_a_part_of_all_photos() -> None:
    ids = [str(number) for number in range(5)]
    photos = ImageStack(tuple(ids), np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 2, 2, 3))
    masks = ImageStack(tuple(ids), np.zeros((5, 2, 2), np.uint8))
    still = Augmentation(shift=0, scale=0, probability=0)
    batches = PhotoBatches(photos, masks, ids, 2, still, seed=3, photos_per_epoch=3)
    seen = []
    for epoch in range(6):
        assert len(batches) == 2
        seen.append([int(photo.max()) for batch in batches.epoch(epoch) for photo in batch.photos])
    assert all(len(set(epoch)) == 3 for epoch in seen)
    assert {photo for epoch in seen for photo in epoch} == set(range(5))


def test_an_epoch_can_be_begun_in_its_middle() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, seed=5)
    assert_alike(list(batches.epoch(3, start=2)), list(batches.epoch(3))[2:])


@pytest.mark.parametrize("workers", [1, 2])
def test_stages_show_photos_in_other_sizes(workers: int) -> None:
    photos = ImageStack(IDS, np.zeros((7, 32, 32, 3), np.uint8))
    masks = ImageStack(IDS, np.zeros((7, 32, 32), np.uint8))
    batches = PhotoBatches(photos, masks, list(IDS), 2, VARIED, seed=5, workers=workers)
    stages = (
        Stage(end_fraction=0.5, mode="resize", height=16, width=24),
        Stage(end_fraction=0.75, mode="crop", height=24, width=16),
    )
    batches.set_stages(stages, epochs=4)
    sizes = []
    for epoch in range(4):
        sizes.append(batches.size_in(epoch))
        shown = list(batches.epoch(epoch))
        assert {batch.photos.shape[1:3] for batch in shown} == {sizes[-1]}
        assert {batch.masks.shape[1:3] for batch in shown} == {sizes[-1]}
    assert sizes == [(16, 24), (16, 24), (24, 16), (32, 32)]


def test_devices_share_all_but_the_photos_that_are_too_many() -> None:
    whole = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    shared = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    shared.shard(2)
    first, second = whole.epoch()
    assert len(shared) == 2
    given = list(shared.epoch())
    assert [batch.weights for batch in given] == [None, None]
    assert np.array_equal(given[0].photos, first.photos)
    assert np.array_equal(given[1].photos, second.photos[:2])


def test_processes_get_parts_that_make_the_whole_batch() -> None:
    whole = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    parts = []
    for process in range(2):
        part = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5, workers=2)
        part.shard(2, process, 2)
        parts.append(part)
    shared = zip(*(part.epoch() for part in parts), strict=True)
    for both, expected, size in zip(shared, whole.epoch(), (4, 2), strict=True):
        assert [batch.size for batch in both] == [size, size]
        for field in ("photos", "masks"):
            together = np.concatenate([getattr(batch, field) for batch in both])
            assert np.array_equal(together, getattr(expected, field)[:size])


def test_a_weighted_mean_over_shared_batches_is_that_of_all_photos() -> None:
    """Seven photos for four devices: the eighth weighs nothing."""
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 4)
    batches.shard(4)
    given = list(batches.epoch())
    assert [len(batch.photos) for batch in given] == [4, 4]
    assert [batch.size for batch in given] == [4, 3]
    assert [batch.weights.tolist() for batch in given] == [
        [1] * 4,
        pytest.approx([4 / 3] * 3 + [0]),
    ]
    means = [np.mean(batch.photos.mean((1, 2, 3)) * batch.weights) for batch in given]
    assert np.average(means, weights=[4, 3]) == pytest.approx(np.arange(7).mean())


def test_threads_end_with_an_epoch_that_is_left_in_its_middle() -> None:
    before = set(threading.enumerate())
    epoch = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, workers=2).epoch()
    next(epoch)
    assert set(threading.enumerate()) > before
    epoch.close()
    assert set(threading.enumerate()) == before


class WatchedPixels(np.ndarray):
    """Notes which images are read."""

    read: ClassVar[set[int]] = set()

    def __getitem__(self, index: Any) -> Any:
        if self.ndim == 4:
            self.read.add(int(index))
        return super().__getitem__(index)


def test_threads_are_no_more_batches_ahead_than_two_each() -> None:
    """Of seven batches the first is asked for, and no other ever."""
    photos = ImageStack(IDS, PHOTOS.pixels.view(WatchedPixels))
    epoch = PhotoBatches(photos, MASKS, list(IDS), 1, workers=2).epoch()
    next(epoch)
    epoch.close()
    assert {0} <= WatchedPixels.read <= {0, 1, 2, 3}


@pytest.mark.parametrize("stage", [None, Stage(mode="crop", height=16, width=20, end_fraction=0.5)])
def test_what_is_ignored_moves_with_the_mask(stage: Stage | None) -> None:
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 256, (7, 24, 32)).astype(np.uint8)
    photos = ImageStack(IDS, np.zeros((7, 24, 32, 3), np.uint8))
    masks = ImageStack(IDS, np.stack([planes, planes], axis=-1))
    batches = PhotoBatches(photos, masks, list(IDS), 7, VARIED, seed=5)
    batches.set_stages([stage] if stage else [], epochs=2)
    (batch,) = batches.epoch(0)
    assert batch.masks.shape == ((7, 24, 32, 2) if stage is None else (7, 16, 20, 2))
    assert np.array_equal(batch.masks[..., 0], batch.masks[..., 1])
    plain = PhotoBatches(photos, ImageStack(IDS, planes), list(IDS), 7, VARIED, seed=5)
    plain.set_stages([stage] if stage else [], epochs=2)
    (alone,) = plain.epoch(0)
    # OpenCV takes positions to 1/32 of a pixel for two channels, and exactly for one.
    assert np.abs(batch.masks[..., :1] - alone.masks).max() < 8 / 255
